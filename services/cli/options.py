"""Options that several commands take."""

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
Url = Annotated[
    str | None,
    typer.Option(
        "--url", envvar="PENSTOCK_URL", help="Another fleet than the data folder's, e.g. https://ai.example."
    ),
]
Key = Annotated[
    str | None,
    typer.Option("--api-key", envvar="PENSTOCK_API_KEY", help="Another key than the data folder's."),
]
DEFAULT_FOLDER = Path(".penstock")
