"""Starts the whole fleet the way a user does: the ``penstock`` command, on a free port and a fresh folder."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any

PENSTOCK = Path(sys.executable).with_name("penstock")
START_LIMIT_S = 90.0
STOP_LIMIT_S = 60.0


def free_port() -> int:
    """Pick a TCP port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def clean_environment(extra: Mapping[str, str] = {}) -> dict[str, str]:
    """Return this process's environment without any setting of Penstock or key of a provider."""
    kept = {
        name: value
        for name, value in os.environ.items()  # noqa: TID251 - handed to the process under test
        if not name.startswith("PENSTOCK_") and not name.endswith(("_API_KEY", "_BASE_URL"))
    }
    return {**kept, **extra}


@dataclass
class Fleet:
    """A fleet in a folder; may be started, stopped and started again."""

    data_dir: Path
    port: int
    environment: dict[str, str]
    process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def api_key(self) -> str:
        return str(json.loads((self.data_dir / "credentials.json").read_text())["api_key"])

    @property
    def output(self) -> str:
        return (self.data_dir.parent / "up.out").read_text()

    def start(self, *arguments: str) -> float:
        """Run ``penstock up`` and wait until it is ready; returns the seconds that this took."""
        began = time.monotonic()
        with (self.data_dir.parent / "up.out").open("w") as output:
            self.process = subprocess.Popen(
                [PENSTOCK, "up", "--port", str(self.port), "--data-dir", self.data_dir, *arguments],
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
            )
        self.wait_until(lambda: "curl" in self.output, "the fleet says that it is ready", START_LIMIT_S)
        return time.monotonic() - began

    def stop(self) -> int:
        """Send Ctrl-C and wait for the end; returns the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(STOP_LIMIT_S)

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run another ``penstock`` command against this fleet."""
        return subprocess.run(
            [PENSTOCK, *arguments],
            env={**self.environment, "PENSTOCK_DATA_DIR": str(self.data_dir)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def status(self) -> dict[str, Any]:
        """Parse ``penstock status --json``."""
        return dict(json.loads(self.command("status", "--json").stdout))

    def request(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] = {}
    ) -> tuple[int, Message, bytes]:
        """Make one HTTP request with the fleet's key; returns status, headers, body."""
        request = urllib.request.Request(  # noqa: S310 - a loopback URL of our own
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {self.api_key}",
                "Content-Type": "application/json",
                **headers,
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - the same
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read()

    def json(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] = {}) -> Any:
        """Make one request and parse the JSON answer, whatever its status."""
        return json.loads(self.request(method, path, body, headers)[2])

    def wait_until(self, condition: Any, what: str, limit_s: float = 30.0) -> None:
        """Poll a condition until it holds, the fleet dies, or the limit passes."""
        end = time.monotonic() + limit_s
        while not condition():
            if self.process is not None and self.process.poll() is not None:
                raise AssertionError(f"the fleet ended before {what}:\n{self.output}")
            if time.monotonic() > end:
                raise AssertionError(f"not within {limit_s} s: {what}\n{self.output[-4000:]}")
            time.sleep(0.05)


@contextmanager
def running_fleet(base: Path, environment: Mapping[str, str] = {}, *arguments: str) -> Iterator[Fleet]:
    """Start a fleet in a folder below ``base`` and stop it at the end, whatever happened.

    Args:
        base: Gets the fleet's data folder and its output.
        environment: Its settings.
        arguments: Of ``penstock up``.
    """
    base.mkdir(parents=True, exist_ok=True)
    fleet = Fleet(base / "data", free_port(), clean_environment(environment))
    try:
        fleet.start(*arguments)
        yield fleet
    finally:
        if fleet.process is not None and fleet.process.poll() is None:
            try:
                fleet.stop()
            except subprocess.TimeoutExpired:
                fleet.process.kill()
                raise
