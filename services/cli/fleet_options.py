"""Options of commands that ask a running fleet."""

from typing import Annotated

import typer

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
