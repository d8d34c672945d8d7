"""The commands of operators and their options; each imports what it needs when it runs."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from services.cli.data_dir import DataDir
from services.cli.fleet_options import OperatorKey, Url
from services.cli.options import DEFAULT_FOLDER, Folder, Json

if TYPE_CHECKING:
    from services.cli.fleet_api import FleetApi

queues = typer.Typer(help="Look at the queues of a running fleet and steer them.")
workers = typer.Typer(help="Look at the workers of a running fleet; drain one.")

Name = Annotated[str, typer.Argument(help="The queue, e.g. jobs.chat.batch")]
WorkerName = Annotated[str, typer.Argument(help="The worker's name, as the list shows it.")]


@queues.callback(invoke_without_command=True)
def show_queues(
    *,
    context: typer.Context,
    data_dir: Folder = DEFAULT_FOLDER,
    url: Url = None,
    api_key: OperatorKey = None,
    as_json: Json = False,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Again every 2 seconds.")] = False,
    every: Annotated[bool, typer.Option("--all", help="Also those where nothing happens.")] = False,
) -> None:
    """Look at the queues of a running fleet and steer them.

    Exit codes: 1 the fleet refuses, 2 wrong usage, 3 no fleet answers, 77 the key is not good enough.
    """
    if context.invoked_subcommand is None:
        from services.cli.commands import queues as command  # noqa: PLC0415

        command.show(_api(data_dir, url, api_key), as_json=as_json, watch=watch, every=every)


@queues.command("pause")
def pause_queue(
    *,
    name: Name,
    data_dir: Folder = DEFAULT_FOLDER,
    url: Url = None,
    api_key: OperatorKey = None,
    as_json: Json = False,
) -> None:
    """Deliver nothing to any worker; what is in flight goes on."""
    from services.cli.commands import queues as command  # noqa: PLC0415

    command.steer(_api(data_dir, url, api_key), "pause", name, as_json=as_json)


@queues.command("resume")
def resume_queue(
    *,
    name: Name,
    data_dir: Folder = DEFAULT_FOLDER,
    url: Url = None,
    api_key: OperatorKey = None,
    as_json: Json = False,
) -> None:
    """Undo a pause and a drain."""
    from services.cli.commands import queues as command  # noqa: PLC0415

    command.steer(_api(data_dir, url, api_key), "resume", name, as_json=as_json)


@queues.command("drain")
def drain_queue(
    *,
    name: Name,
    data_dir: Folder = DEFAULT_FOLDER,
    url: Url = None,
    api_key: OperatorKey = None,
    as_json: Json = False,
    wait: Annotated[bool, typer.Option("--wait", help="Return when the queue is empty.")] = False,
) -> None:
    """Refuse new submissions for a queue and let the workers empty it; `resume` ends that."""
    from services.cli.commands import queues as command  # noqa: PLC0415

    api = _api(data_dir, url, api_key)
    command.steer(api, "drain", name, as_json=as_json)
    if wait:
        command.wait_drained(api, name)


@queues.command("purge")
def purge_queue(
    *,
    name: Name,
    data_dir: Folder = DEFAULT_FOLDER,
    url: Url = None,
    api_key: OperatorKey = None,
    as_json: Json = False,
    confirm: Annotated[str | None, typer.Option(help="The queue's full name, instead of a question.")] = None,
) -> None:
    """Cancel everything that waits in a queue of jobs, for good."""
    from services.cli.commands import queues as command  # noqa: PLC0415

    command.purge(_api(data_dir, url, api_key), name, confirm, as_json=as_json)


@queues.command("dead-letters")
def dead_letters(
    *,
    name: Name,
    action: Annotated[
        Literal["list", "replay", "discard"], typer.Argument(help="What to do with them.")
    ] = "list",
    data_dir: Folder = DEFAULT_FOLDER,
    url: Url = None,
    api_key: OperatorKey = None,
    as_json: Json = False,
    ids: Annotated[list[str] | None, typer.Option("--id", help="This one; may be repeated.")] = None,
    reason: Annotated[str | None, typer.Option(help="Those with this in their reason.")] = None,
    older_than_s: Annotated[
        float | None, typer.Option("--older-than", min=0, help="Those dead for so many seconds.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every one: replay and discard.")] = False,
    page: Annotated[int, typer.Option(min=1, max=1000, help="Of the list.")] = 1,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=100, help="How many to list.")] = 20,
) -> None:
    """List, replay or discard messages that were given up; exit code 1 when some cannot be put back."""
    from services.cli.commands import dead_letters as command  # noqa: PLC0415

    api = _api(data_dir, url, api_key)
    if action == "list":
        command.show(
            api, name, reason=reason, older_than_s=older_than_s, page=page, limit=limit, as_json=as_json
        )
        return
    selection = {"ids": ids, "reason": reason, "older_than_s": older_than_s, "all": every}
    raise typer.Exit(command.act(api, name, action, selection, as_json=as_json))


@workers.callback(invoke_without_command=True)
def show_workers(
    *,
    context: typer.Context,
    data_dir: Folder = DEFAULT_FOLDER,
    url: Url = None,
    api_key: OperatorKey = None,
    as_json: Json = False,
) -> None:
    """Look at the workers of a running fleet; drain one."""
    if context.invoked_subcommand is None:
        from services.cli.commands import workers as command  # noqa: PLC0415

        command.show(_api(data_dir, url, api_key), as_json=as_json)


@workers.command("drain")
def drain_worker(
    *,
    name: WorkerName,
    data_dir: Folder = DEFAULT_FOLDER,
    url: Url = None,
    api_key: OperatorKey = None,
    as_json: Json = False,
) -> None:
    """Have a worker take no new jobs and finish what it runs; it stays so until it is resumed."""
    from services.cli.commands import workers as command  # noqa: PLC0415

    command.steer(_api(data_dir, url, api_key), "drain", name, as_json=as_json)


@workers.command("resume")
def resume_worker(
    *,
    name: WorkerName,
    data_dir: Folder = DEFAULT_FOLDER,
    url: Url = None,
    api_key: OperatorKey = None,
    as_json: Json = False,
) -> None:
    """Have a drained worker take jobs again."""
    from services.cli.commands import workers as command  # noqa: PLC0415

    command.steer(_api(data_dir, url, api_key), "resume", name, as_json=as_json)


def _api(data_dir: Folder, url: str | None, api_key: str | None) -> "FleetApi":
    from services.cli.fleet_api import FleetApi  # noqa: PLC0415

    return FleetApi.find(DataDir.at(data_dir), url=url, key=api_key, operator=True)
