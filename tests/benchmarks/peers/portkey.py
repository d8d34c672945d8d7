"""The Portkey gateway as it is shipped: one Node.js process, without cache, keys, accounting or a store."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks.load.target import Target
from tests.benchmarks.peers.installed import FOLDER, install, tool
from tests.benchmarks.peers.subject import Subject
from tests.benchmarks.requests import CHAT_BODY, HOST
from tests.benchmarks.server import running
from tests.support.fleet import clean_environment, free_port

VERSION = "1.15.2"
LOOPBACK = Path(__file__).with_name("loopback.cjs")


@contextmanager
def portkey_gateway(base: Path, *, simulator_port: int) -> Iterator[Subject]:
    """Run the gateway while the block lasts.

    Raises:
        NotInstalledError: It cannot be installed.
        NotStartedError: It cannot be started.
    """
    node, npm = tool("node"), tool("npm")
    folder = FOLDER / f"portkey-{VERSION}"
    package = f"@portkey-ai/gateway@{VERSION}"
    install(folder, [[npm, "install", "--prefix", folder, "--no-audit", "--no-fund", package]])
    server = folder / "node_modules/@portkey-ai/gateway/build/start-server.js"
    port = free_port()
    environment = clean_environment({"NODE_ENV": "production", "TRUSTED_CUSTOM_HOSTS": HOST})
    headers = {
        "x-portkey-provider": "openai",
        "x-portkey-custom-host": f"http://{HOST}:{simulator_port}/v1",
        "Authorization": "Bearer none",
    }
    target = Target(HOST, port, "/v1/chat/completions", CHAT_BODY, headers)
    argv = [node, "--require", str(LOOPBACK), str(server), f"--port={port}", "--headless"]
    with running(argv, environment, port=port, folder=base) as pid:
        yield Subject("Portkey gateway", target, (pid,))
