"""``penstock serve``: one service in the foreground, for containers and service managers."""

import os
import sys
from collections.abc import Sequence

from services.cli.configuration import require_service


def run(service: str, arguments: Sequence[str]) -> None:
    """Become the service: same process, same environment.

    Raises:
        CommandError: There is no such service.
    """
    require_service(service)
    os.execv(  # noqa: S606 - the service's own interpreter, no shell
        sys.executable, [sys.executable, "-m", f"services.{service}", *arguments]
    )
