"""``penstock webhooks``: its commands and their options; each imports what it needs when it runs."""

from typing import Annotated

import typer

from services.cli.data_dir import DataDir
from services.cli.options import DEFAULT_FOLDER, Folder, Json, Key, Url

webhooks = typer.Typer(help="Look after webhooks of a running fleet.", no_args_is_help=True)

Endpoint = Annotated[str, typer.Argument(help="Id of an endpoint: we_…")]
Status = Annotated[str | None, typer.Option(help="Only deliveries with these, with commas between.")]
Type = Annotated[str | None, typer.Option("--type", help="Only this type of event.")]
Since = Annotated[str | None, typer.Option(help="Not older: Unix seconds or ISO 8601 with an offset.")]
Until = Annotated[str | None, typer.Option(help="Older than this.")]
EVERY_EVENT = ["*"]


@webhooks.command()
def listen(
    events: Annotated[
        list[str], typer.Option("--event", "-e", help="Type to receive, such as 'job.*'; repeat for more.")
    ] = EVERY_EVENT,
    forward_to: Annotated[str | None, typer.Option(help="Hand what is verified on to this URL.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 0,
    public_url: Annotated[
        str | None, typer.Option(help="What the fleet calls, where it cannot reach the address itself.")
    ] = None,
    as_json: Json = False,
    data_dir: Folder = DEFAULT_FOLDER,
    url: Url = None,
    api_key: Key = None,
) -> None:
    """Print and verify deliveries on this machine until Ctrl-C; the endpoint is removed at the end."""
    from services.cli.commands import listen  # noqa: PLC0415
    from services.cli.fleet_api import FleetAddress  # noqa: PLC0415

    listen.run(
        FleetAddress.find(DataDir.at(data_dir), url=url, api_key=api_key),
        listen.Listening(
            events=events,
            host=host,
            port=port,
            public_url=public_url,
            forward_to=forward_to,
            as_json=as_json,
        ),
    )
