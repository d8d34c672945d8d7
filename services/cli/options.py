"""Options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

Folder = Annotated[
    Path,
    typer.Option(
        "--data-dir", envvar="PENSTOCK_DATA_DIR", help="Folder of the fleet's data.", file_okay=False
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DEFAULT_FOLDER = Path(".penstock")
