"""Failures of the embedded engines."""


class EngineError(Exception):
    """An embedded engine cannot do what it was asked; the message says the remedy where one is known."""


class EngineStartError(EngineError):
    """The server did not become ready."""

    def __init__(self, name: str, reason: str, *, log_tail: str = "") -> None:
        super().__init__(f"{name} did not start: {reason}" + (f"\n{log_tail}" if log_tail else ""))
        self.log_tail = log_tail


class EngineStopError(EngineError):
    """The server outlived every signal; its data folder must not be used by another one."""
