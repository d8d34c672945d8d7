"""What a command tells its user when it cannot do what it was asked."""


class CommandError(Exception):
    """The message says what is wrong and what to do about it."""

    def __init__(self, message: str, *, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code
