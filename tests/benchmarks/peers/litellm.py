"""The LiteLLM proxy, configured as its documentation recommends for production.

Its authentication is on (a master key), everything that costs time and is optional is off: no database, so
no spend records, no virtual keys, no budgets; no Redis, no callbacks, no debug output.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks.load.target import Target
from tests.benchmarks.peers.installed import FOLDER, ROOT, install, tool
from tests.benchmarks.peers.subject import Subject
from tests.benchmarks.requests import CHAT_BODY, HOST
from tests.benchmarks.server import running
from tests.support.fleet import clean_environment, free_port

VERSION = "1.106.2"
"""The one that our own lock holds. 1.82.7 and 1.82.8 were malicious."""
KEY = "sk-compared"


def _program() -> Path:
    uv = tool("uv", ROOT / ".venv-uv/bin/uv")
    folder = FOLDER / f"litellm-{VERSION}"
    python = folder / "env/bin/python"
    pip = [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(python)]
    install(
        folder,
        [
            [uv, "venv", "--quiet", "--python", sys.executable, folder / "env"],
            [*pip, f"litellm[proxy]=={VERSION}"],
        ],
    )
    return python.with_name("litellm")


def _configuration(simulator_port: int) -> str:
    """YAML takes JSON."""
    return json.dumps(
        {
            "model_list": [
                {
                    "model_name": "echo",
                    "litellm_params": {
                        "model": "openai/echo",
                        "api_base": f"http://{HOST}:{simulator_port}/v1",
                        "api_key": "none",
                    },
                }
            ],
            "general_settings": {"master_key": KEY},
            "litellm_settings": {"request_timeout": 600, "set_verbose": False, "json_logs": True},
        }
    )


@contextmanager
def litellm_proxy(base: Path, *, simulator_port: int, workers: int) -> Iterator[Subject]:
    """Run the proxy while the block lasts.

    Raises:
        NotInstalledError: It cannot be installed.
        NotStartedError: It cannot be started.
    """
    program, port = _program(), free_port()
    base.mkdir(parents=True)
    (base / "config.yaml").write_text(_configuration(simulator_port))
    environment = clean_environment(
        {
            "LITELLM_MODE": "PRODUCTION",
            "LITELLM_LOG": "ERROR",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "LITELLM_TELEMETRY": "False",
        }
    )
    argv = [str(program), "--config", str(base / "config.yaml"), "--host", HOST, "--port", str(port)]
    argv += ["--num_workers", str(workers)]
    target = Target(HOST, port, "/v1/chat/completions", CHAT_BODY, {"Authorization": f"Bearer {KEY}"})
    with running(argv, environment, port=port, folder=base) as pid:
        yield Subject(f"LiteLLM proxy, {workers} worker{'s' * (workers > 1)}", target, (pid,))
