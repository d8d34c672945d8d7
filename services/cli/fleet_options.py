"""Options of commands that ask a running fleet."""

from typing import Annotated

import typer

_FOLDERS = "that of the data folder"

Url = Annotated[
    str | None,
    typer.Option(
        "--url", envvar="PENSTOCK_URL", help="The fleet, e.g. https://ai.example.", show_default=_FOLDERS
    ),
]
Key = Annotated[
    str | None,
    typer.Option("--api-key", envvar="PENSTOCK_API_KEY", help="A tenant's key.", show_default=_FOLDERS),
]
OperatorKey = Annotated[
    str | None,
    typer.Option(
        "--api-key", envvar="PENSTOCK_OPERATOR_KEY", help="An operator's key.", show_default=_FOLDERS
    ),
]
