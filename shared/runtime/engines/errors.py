"""Failures of the embedded engines."""

from shared.errors import PenstockError


class EngineError(PenstockError):
    """An embedded engine cannot do what it was asked; the message says the remedy where one is known."""

    code = "engine_error"


class EngineStartError(EngineError):
    """The server did not become ready."""

    code = "engine_start_failed"

    def __init__(self, name: str, reason: str, *, log_tail: str = "") -> None:
        super().__init__(f"{name} did not start: {reason}" + (f"\n{log_tail}" if log_tail else ""))
        self.log_tail = log_tail


class EngineStopError(EngineError):
    """The server outlived every signal; its data folder must not be used by another one."""

    code = "engine_stop_failed"
