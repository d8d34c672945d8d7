"""TCP ports of this machine."""

import errno
import socket
from contextlib import ExitStack

from services.cli.errors import CommandError


def free_port(host: str = "127.0.0.1") -> int:
    """Pick a port that nobody listens on now."""
    return free_ports(1, host)[0]


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """Pick several ports, all different."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind((host, 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def require_free(host: str, port: int) -> None:
    """Find out whether a server could listen there.

    Raises:
        CommandError: It could not; says why and what to do.
    """
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen()
        except OSError as error:
            why = {
                errno.EADDRINUSE: "is in use by another program",
                errno.EACCES: "needs root's rights",
                errno.EADDRNOTAVAIL: "is on an address that this machine does not have",
            }.get(error.errno or 0, f"cannot be opened ({error.strerror})")
            raise CommandError(
                f"Port {port} on {host} {why}: choose another one with --port or PENSTOCK_PORT."
            ) from None
