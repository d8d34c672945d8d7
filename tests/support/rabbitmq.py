"""A private RabbitMQ node from Debian's package, for tests that kill it and wipe it."""

import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.runtime.engines.waiting import wait_for

SCRIPT = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
CONTROL = SCRIPT.with_name("rabbitmqctl")
"""The release script itself: the one in /usr/sbin wants to change the user and logs below /var."""
EPMD = "/usr/bin/epmd"
CONFIGURATION = Path(__file__).parents[2] / "deploy/rabbitmq/penstock.conf"
START_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 30.0
CONTROL_TIMEOUT_S = 60.0
DEFAULT_HEARTBEAT_S = 60
PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"


def installed() -> bool:
    return SCRIPT.exists() and shutil.which("erl") is not None


class RabbitNode:
    """One node on free loopback ports with its data, cookie and port mapper below `base_dir`.

    Runs as whoever runs the tests, root too. The ports stay the same over restarts.
    """

    def __init__(self, base_dir: Path) -> None:
        self._base = base_dir
        self._port, self._dist_port, self._epmd_port = _free_ports(3)
        self._node: subprocess.Popen[bytes] | None = None
        self._epmd: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self._port}/"

    @property
    def pid(self) -> int | None:
        return self._node.pid if self.running() and self._node is not None else None

    def running(self) -> bool:
        return self._node is not None and self._node.poll() is None

    def start(self) -> None:
        """Return when the node speaks AMQP, about ten seconds later."""
        if self.running():
            return
        for folder in ("home", "data", "log"):
            (self._base / folder).mkdir(parents=True, exist_ok=True)
        (self._base / "enabled_plugins").write_text("[].\n")
        self._start_epmd()
        node = self._node = self._popen([str(SCRIPT)], log="console.log")
        wait_for(lambda: node.poll() is not None or self._speaks_amqp(), timeout_s=START_TIMEOUT_S)
        if node.poll() is not None or not self._speaks_amqp():
            console = (self._base / "console.log").read_text(errors="replace")
            self.close()
            raise RuntimeError("RabbitMQ did not start:\n" + "\n".join(console.splitlines()[-20:]))

    def add_vhost(self, name: str) -> str:
        """Make a place of its own for one fleet; returns its URL."""
        self._control("add_vhost", name)
        self._control("set_permissions", "-p", name, "guest", ".*", ".*", ".*")
        return f"{self.url}{name}"

    @contextmanager
    def heartbeat(self, seconds: int) -> Iterator[None]:
        """Notice sooner that a client stands still: of connections made while the block lasts."""
        self._set_heartbeat(seconds)
        try:
            yield
        finally:
            self._set_heartbeat(DEFAULT_HEARTBEAT_S)

    def kill(self) -> None:
        """End the node as a crash does (SIGKILL).

        Measured on 3.10.8: a quorum queue first declared less than about five seconds before the kill
        has no leader ever after, over clean restarts too. Publishes to it are never confirmed and reads never
        answered until it is deleted (which takes five seconds) and declared again. Older queues recover.
        """
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End the node in order."""
        self._end(signal.SIGTERM)

    def settle_queues(self) -> None:
        """Make queues that were just declared survive a kill: a restart in order writes them down."""
        self.restart()

    def restart(self) -> None:
        self.stop()
        self.start()

    def wipe(self) -> None:
        """Delete what a stopped node knows: queues, messages, users."""
        if self.running():
            raise RuntimeError("stop or kill the node before wiping its data")
        shutil.rmtree(self._base / "data")

    def close(self) -> None:
        """Leave no process behind, the port mapper included."""
        self.kill()
        if self._epmd is not None:
            self._epmd.terminate()
            self._epmd.wait(STOP_TIMEOUT_S)
            self._epmd = None

    def _start_epmd(self) -> None:
        """Run the port mapper as our own child; a node that finds none starts one that nobody ends."""
        if self._epmd is None:
            self._epmd = self._popen([EPMD, "-port", str(self._epmd_port)], log="epmd.log")
            if not wait_for(lambda: _accepts(self._epmd_port), timeout_s=START_TIMEOUT_S):
                raise RuntimeError("epmd does not listen")

    def _end(self, step: signal.Signals) -> None:
        if self._node is not None:
            self._node.send_signal(step)
            self._node.wait(STOP_TIMEOUT_S)
            self._node = None

    def _popen(self, argv: list[str], *, log: str) -> subprocess.Popen[bytes]:
        with (self._base / log).open("ab") as output:
            return subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self._base,
                env=self._environment(),
                start_new_session=True,
            )

    def _set_heartbeat(self, seconds: int) -> None:
        self._control("eval", f"application:set_env(rabbit, heartbeat, {seconds}).")

    def _control(self, *arguments: str) -> None:
        subprocess.run(
            [CONTROL, "--quiet", *arguments],
            env=self._environment(),
            check=True,
            capture_output=True,
            timeout=CONTROL_TIMEOUT_S,
        )

    def _environment(self) -> dict[str, str]:
        base = self._base
        return {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8",
            "HOME": str(base / "home"),
            "RABBITMQ_NODENAME": f"penstock-{self._port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self._port),
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "RABBITMQ_MNESIA_BASE": str(base / "data"),
            "RABBITMQ_LOG_BASE": str(base / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(base / "enabled_plugins"),
            "RABBITMQ_CONF_ENV_FILE": str(base / "none.conf"),
            "RABBITMQ_CONFIG_FILE": str(CONFIGURATION),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(base / "none-advanced"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            # Makes the script replace itself with the node, so that a signal reaches the node.
            "RUNNING_UNDER_SYSTEMD": "true",
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_CRASH_DUMP": str(base / "erl_crash.dump"),
        }

    def _speaks_amqp(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=2.0) as client:
                client.sendall(PROTOCOL_HEADER)
                return client.recv(1) == b"\x01"
        except OSError:
            return False


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
    except OSError:
        return False
    return True


def _free_ports(count: int) -> list[int]:
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [listener.getsockname()[1] for listener in listeners]
    finally:
        for listener in listeners:
            listener.close()
