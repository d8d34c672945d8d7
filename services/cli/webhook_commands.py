"""``penstock webhooks``: its commands and their options; each imports what it needs when it runs."""

from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.data_dir import DataDir
from services.cli.fleet_options import Key, Url
from services.cli.options import DEFAULT_FOLDER, Folder, Json

if TYPE_CHECKING:
    from services.cli.fleet_api import FleetApi

webhooks = typer.Typer(help="Look after webhooks of a running fleet.", no_args_is_help=True)

Endpoint = Annotated[str, typer.Argument(help="Id of an endpoint: we_…")]
Status = Annotated[str | None, typer.Option(help="Only pending, delivered or failed ones.")]
Type = Annotated[str | None, typer.Option("--type", help="Only this type of event.")]
Since = Annotated[str | None, typer.Option(help="Not older: Unix seconds or ISO 8601 with an offset.")]
Until = Annotated[str | None, typer.Option(help="Older than this.")]
EVERY_EVENT = ["*"]


@webhooks.command()
def listen(
    *,
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

    listen.run(
        _api(data_dir, url, api_key),
        listen.Listening(
            events=events,
            host=host,
            port=port,
            public_url=public_url,
            forward_to=forward_to,
            as_json=as_json,
        ),
    )


@webhooks.command()
def endpoints(
    *, as_json: Json = False, data_dir: Folder = DEFAULT_FOLDER, url: Url = None, api_key: Key = None
) -> None:
    """List the endpoints."""
    from services.cli.commands import webhooks as command  # noqa: PLC0415

    command.endpoints(_api(data_dir, url, api_key), as_json=as_json)


@webhooks.command()
def deliveries(
    endpoint: Annotated[str | None, typer.Argument(help="Id of an endpoint; by default every one.")] = None,
    *,
    status: Status = None,
    event_type: Type = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many at most.")] = 20,
    as_json: Json = False,
    data_dir: Folder = DEFAULT_FOLDER,
    url: Url = None,
    api_key: Key = None,
) -> None:
    """List deliveries, newest first."""
    from services.cli.commands import webhooks as command  # noqa: PLC0415

    command.deliveries(
        _api(data_dir, url, api_key),
        endpoint,
        _conditions(status, event_type, since, until),
        limit=limit,
        as_json=as_json,
    )


@webhooks.command()
def redeliver(
    wanted: Annotated[str, typer.Argument(help="Id of a delivery, or of an endpoint for its failed ones.")],
    *,
    status: Status = None,
    event_type: Type = None,
    since: Since = None,
    until: Until = None,
    data_dir: Folder = DEFAULT_FOLDER,
    url: Url = None,
    api_key: Key = None,
) -> None:
    """Send a delivery again, or those of an endpoint that failed."""
    from services.cli.commands import webhooks as command  # noqa: PLC0415

    command.redeliver(
        _api(data_dir, url, api_key),
        wanted,
        _conditions(status, event_type, since, until),
    )


@webhooks.command("test")
def send_test(
    endpoint: Endpoint,
    *,
    as_json: Json = False,
    data_dir: Folder = DEFAULT_FOLDER,
    url: Url = None,
    api_key: Key = None,
) -> None:
    """Send a test event and show how it went; exit code 1 when it was not taken."""
    from services.cli.commands import webhooks as command  # noqa: PLC0415

    raise typer.Exit(command.send_test(_api(data_dir, url, api_key), endpoint, as_json=as_json))


def _conditions(
    status: str | None, event_type: str | None, since: str | None, until: str | None
) -> dict[str, str | None]:
    return {"status": status, "type": event_type, "created_after": since, "created_before": until}


def _api(data_dir: Folder, url: str | None, api_key: str | None) -> "FleetApi":
    from services.cli.fleet_api import FleetApi  # noqa: PLC0415

    return FleetApi.find(DataDir.at(data_dir), url=url, key=api_key)
