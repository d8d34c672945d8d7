"""Opening a port, and the failure that every server of a process may have at its start."""

from aiohttp import web


class ListenError(OSError):
    """An address is taken, not ours, or needs more rights; the text has the remedy."""


async def bind(runner: web.AppRunner, *, name: str, host: str, port: int, setting: str) -> int:
    """Let an application listen; returns the port, which is a free one where 0 was asked for.

    Args:
        runner: Set up, and cleaned up by the caller.
        name: What the port is, for the error.
        host: Address of an interface.
        port: 0 to 65535.
        setting: The environment's name of the port, for the remedy.

    Raises:
        ListenError: The address is taken, not ours, or needs more rights.
    """
    try:
        await web.TCPSite(runner, host, port, backlog=1024).start()
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ListenError(
            f"The {name} {host}:{port} cannot be opened: {reason}. "
            f"Free it, or set {setting} to another (0 takes a free one)."
        ) from error
    bound: int = runner.addresses[0][1]
    return bound
