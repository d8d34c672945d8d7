"""Entry point of the ``penstock`` command."""

import sys

from services.cli.app import app
from services.cli.errors import CommandError


def main() -> None:
    """Run a command; what it cannot do it says in one message."""
    try:
        app()
    except CommandError as error:
        print(f"penstock: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
