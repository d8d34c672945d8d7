"""What the supervisor of a local fleet may ask of an engine."""

from typing import Protocol


class Engine(Protocol):
    """One server, private to one data folder. Calls block: run them in a thread under asyncio.

    The server outlives the process that started it, whatever ends that process. Another `Engine` on
    the same folder, in the same or in another process, finds it, and can use or stop it. Starting one
    folder from two processes at the same moment is the caller's to prevent.
    """

    @property
    def name(self) -> str:
        """Short name for logs and file names."""
        ...

    @property
    def url(self) -> str:
        """Where clients connect. Known before the start and the same after every restart.

        Raises:
            EngineError: The server has never been started on this folder.
        """
        ...

    @property
    def pid(self) -> int | None:
        """Process id of the server, or None when it is not running."""
        ...

    def start(self) -> None:
        """Create the data if there is none and return when the server answers; no-op when it runs.

        Recovers by itself from what a kill or a power cut leaves behind.

        Raises:
            EngineStartError: The server ended or was not ready in time; with its log's last lines.
            EngineError: The folder or its place cannot be used; the message says the remedy.
        """
        ...

    def stop(self) -> None:
        """Return when the server has ended: politely if it can, by force after a bounded wait.

        Raises:
            EngineStopError: It survived even SIGKILL (it hangs in the kernel, on a dead disk say).
        """
        ...

    def running(self) -> bool:
        """Whether the server process is alive; it may be busy recovering."""
        ...

    def trim_log(self) -> None:
        """Bound the server's log file. `start` does it; call it now and then on a long run."""
        ...
