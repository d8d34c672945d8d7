"""The commands and their options; each imports what it needs when it runs."""

from typing import Annotated

import typer

from services.cli.data_dir import DataDir
from services.cli.operator_commands import queues, workers
from services.cli.options import DEFAULT_FOLDER, Folder, Json
from services.cli.webhook_commands import webhooks

app = typer.Typer(
    name="penstock",
    help="Run and look after a Penstock fleet.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
config = typer.Typer(help="Look at the configuration.", no_args_is_help=True)
keys = typer.Typer(help="Manage API keys.", no_args_is_help=True)
app.add_typer(config, name="config")
app.add_typer(keys, name="keys")
app.add_typer(queues, name="queues")
app.add_typer(workers, name="workers")
app.add_typer(webhooks, name="webhooks")


@app.command()
def up(
    data_dir: Folder = DEFAULT_FOLDER,
    port: Annotated[
        int | None,
        typer.Option(
            envvar="PENSTOCK_PORT", min=1, max=65535, help="Where ingress listens.", show_default="8080"
        ),
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, max=64, help="Number of provider workers.")] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Return when the fleet is ready.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print no key and no log lines.")] = False,
) -> None:
    """Run the whole fleet on this machine; Ctrl-C stops it."""
    from services.cli.commands import detached, up  # noqa: PLC0415

    folder = DataDir.at(data_dir)
    if detach:
        detached.start(folder, port=port, workers=workers)
    else:
        up.run(folder, port=port, workers=workers, quiet=quiet)


@app.command()
def down(data_dir: Folder = DEFAULT_FOLDER) -> None:
    """Stop the fleet of a data folder."""
    from services.cli.commands import down  # noqa: PLC0415

    down.run(DataDir.at(data_dir))


@app.command()
def status(data_dir: Folder = DEFAULT_FOLDER, as_json: Json = False) -> None:
    """Say what runs and how it does; exit code 3 when nothing runs, 1 when something is not ready."""
    from services.cli.commands import status  # noqa: PLC0415

    raise typer.Exit(status.run(DataDir.at(data_dir), as_json=as_json))


@app.command()
def logs(
    service: Annotated[str | None, typer.Argument(help="One service only.")] = None,
    data_dir: Folder = DEFAULT_FOLDER,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many lines of each file.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print the lines as they are in the file.")] = False,
) -> None:
    """Show what the services say."""
    from services.cli.commands import logs  # noqa: PLC0415

    logs.run(DataDir.at(data_dir), service=service, follow=follow, lines=lines, as_json=as_json)


@app.command()
def doctor(data_dir: Folder = DEFAULT_FOLDER, as_json: Json = False) -> None:
    """Check everything that can be wrong and say the remedy; exit code 1 when something is."""
    from services.cli.commands import doctor  # noqa: PLC0415

    raise typer.Exit(doctor.run(DataDir.at(data_dir), as_json=as_json))


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def serve(
    context: typer.Context, service: Annotated[str, typer.Argument(help="Its name, e.g. ingress.")]
) -> None:
    """Run one service in the foreground; further options are its own."""
    from services.cli.commands import serve  # noqa: PLC0415

    serve.run(service, context.args)


@app.command()
def migrate(data_dir: Folder = DEFAULT_FOLDER) -> None:
    """Bring the database to the newest schema."""
    from services.cli.commands import database  # noqa: PLC0415

    database.migrate_database(DataDir.at(data_dir))


@config.command("show")
def show_config(
    data_dir: Folder = DEFAULT_FOLDER,
    service: Annotated[str | None, typer.Option(help="One service only.")] = None,
    as_json: Json = False,
) -> None:
    """Print every effective setting and where it came from, secrets masked."""
    from services.cli.commands import config  # noqa: PLC0415

    config.show(DataDir.at(data_dir), service=service, as_json=as_json)


@keys.command("create")
def create_key(
    name: Annotated[str, typer.Option(help="What the key is for.")],
    data_dir: Folder = DEFAULT_FOLDER,
    operator: Annotated[
        bool, typer.Option("--operator", help="May also steer queues and workers: /api/v1/admin.")
    ] = False,
) -> None:
    """Make an API key of the default tenant; it is printed once and stored nowhere."""
    from services.cli.commands import database  # noqa: PLC0415

    database.create_key(DataDir.at(data_dir), name, operator=operator)
