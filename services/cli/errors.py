"""What a command tells its user when it cannot do what it was asked."""

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_NO_FLEET = 3
"""No fleet runs or answers; as ``systemctl status`` has it."""
EXIT_KEY = 77
"""The key is missing or not good enough; ``EX_NOPERM`` of sysexits.h."""


class CommandError(Exception):
    """The message says what is wrong and what to do about it."""

    def __init__(self, message: str, *, exit_code: int = EXIT_FAILED) -> None:
        super().__init__(message)
        self.exit_code = exit_code
