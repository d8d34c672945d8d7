"""``penstock queues dead-letters``: list, replay and discard what was given up."""

from typing import Any

from services.cli.errors import EXIT_USAGE, CommandError
from services.cli.fleet_api import ADMIN, FleetApi, path_of
from services.cli.tables import duration, number, print_json, print_table

EXCERPT = 60
_COLUMNS = ("ID", "JOB", "REASON", ">ATTEMPTS", ">AGE", ">BYTES", "BODY")


def show(
    api: FleetApi,
    name: str,
    *,
    reason: str | None,
    older_than_s: float | None,
    page: int,
    limit: int,
    as_json: bool,
) -> None:
    """Print one page of dead letters, the oldest first."""
    path = path_of(*ADMIN, "queues", name, "dead-letters")
    excerpt = None if as_json else EXCERPT
    answer = api.get(
        path, reason=reason, older_than_s=older_than_s, page=page, per_page=limit, excerpt=excerpt
    )
    if as_json:
        print_json(answer["data"])
        return
    print_table(_COLUMNS, [_row(letter) for letter in answer["data"]])
    print(f"{len(answer['data'])} shown; {answer['message']}")


def act(api: FleetApi, name: str, action: str, selection: dict[str, Any], *, as_json: bool) -> int:
    """Replay or discard; returns the exit code: 1 when some were meant and stay.

    Raises:
        CommandError: It was not said which.
    """
    chosen = {what: value for what, value in selection.items() if value}
    if not chosen:
        raise CommandError("Say which: --id, --reason, --older-than, or --all.", exit_code=EXIT_USAGE)
    path = path_of(*ADMIN, "queues", name, "dead-letters", action)
    if action == "discard":
        discarded = _repeated(api, path, chosen, "discarded")
        _tell({"discarded": discarded}, f"{discarded} deleted.", as_json=as_json)
        return 0
    done = api.post(path, chosen)["data"]
    replayed = done["replayed"]
    while done["more"] and done["replayed"]:
        done = api.post(path, chosen)["data"]
        replayed += done["replayed"]
    _tell({**done, "replayed": replayed}, f"{replayed} put back on the queue.", as_json=as_json)
    if not as_json:
        for letter in done["staying"]:
            print(f"{letter['id']} of {letter['job_id']} stays: {letter['why']}")
    return 1 if done["staying_count"] else 0


def _repeated(api: FleetApi, path: str, chosen: dict[str, Any], what: str) -> int:
    total = 0
    while True:
        done = api.post(path, chosen)["data"]
        total += int(done[what])
        if not done["more"]:
            return total


def _tell(data: dict[str, Any], text: str, *, as_json: bool) -> None:
    if as_json:
        print_json(data)
    else:
        print(text)


def _row(letter: dict[str, Any]) -> list[str]:
    return [
        letter["id"],
        letter["job_id"] or "-",
        _line(letter["reason"]),
        number(letter["attempts"]),
        duration(letter["age_s"]),
        number(letter["body_bytes"]),
        _line(letter["body_excerpt"]),
    ]


def _line(text: str) -> str:
    """Fit a text into a line, without whatever would steer a terminal."""
    return "".join(character if character.isprintable() else " " for character in text)[:EXCERPT]
