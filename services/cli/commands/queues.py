"""``penstock queues``: look at the queues of a fleet and steer them."""

import sys
import time
from typing import Any

from services.cli.errors import EXIT_USAGE, CommandError
from services.cli.fleet_api import ADMIN, FleetApi, path_of
from services.cli.tables import duration, number, print_json, print_table

WATCH_INTERVAL_S = 2.0
DRAIN_INTERVAL_S = 0.5
_CLEAR = "\x1b[H\x1b[2J"
_COLUMNS = ("QUEUE", "STATE", ">DEPTH", ">IN FLIGHT", ">CONSUMERS", ">IN/S", ">OUT/S", ">OLDEST", ">DEAD")


def show(api: FleetApi, *, as_json: bool, watch: bool, every: bool) -> None:
    """Print every queue; with ``watch``, again and again until Ctrl-C."""
    try:
        while True:
            queues = api.get(path_of(*ADMIN, "queues"))["data"]
            if watch and not as_json and sys.stdout.isatty():
                print(_CLEAR, end="")
            if as_json:
                print_json(queues)
            else:
                _print(queues, every=every or watch)
            if not watch:
                return
            time.sleep(WATCH_INTERVAL_S)
    except KeyboardInterrupt:
        return


def steer(api: FleetApi, action: str, name: str, *, as_json: bool) -> None:
    """Pause, resume or drain a queue."""
    answer = api.post(path_of(*ADMIN, "queues", name, action))
    if as_json:
        print_json(answer["data"])
    else:
        print(f"{answer['data']['name']}: {answer['message']}")


def wait_drained(api: FleetApi, name: str) -> None:
    """Return when a queue that is being drained is empty.

    Raises:
        CommandError: Somebody has resumed or paused it meanwhile.
    """
    while (queue := api.get(path_of(*ADMIN, "queues", name))["data"])["state"] == "draining":
        time.sleep(DRAIN_INTERVAL_S)
    if queue["state"] != "drained":
        raise CommandError(f"{queue['name']} is {queue['state']} now; it was not drained to its end.")
    print(f"{queue['name']}: drained.")


def purge(api: FleetApi, name: str, confirm: str | None, *, as_json: bool) -> None:
    """Cancel everything that waits in a queue, as often as it takes.

    Raises:
        CommandError: It was not confirmed.
    """
    queue = api.get(path_of(*ADMIN, "queues", name))["data"]
    if confirm is None:
        confirm = _asked(queue)
    total: dict[str, Any] = {}
    while True:
        done = api.post(path_of(*ADMIN, "queues", name, "purge"), {"confirm": confirm})["data"]
        for what, count in done.items():
            total[what] = count if what == "more" else total.get(what, 0) + count
        if not done["more"]:
            break
    if as_json:
        print_json(total)
    else:
        print(
            f"{queue['name']}: {total['purged']} messages taken away; {total['cancelled']} jobs cancelled, "
            f"{total['calls']} waiting callers told."
        )


def _asked(queue: dict[str, Any]) -> str:
    if not sys.stdin.isatty():
        raise CommandError(
            f"A purge cancels jobs for good. Confirm it with --confirm {queue['name']}", exit_code=EXIT_USAGE
        )
    print(f"This cancels the {queue['depth']} messages that wait in {queue['name']}, for good.")
    return input("Type the queue's name to go on: ").strip()


def _print(queues: list[dict[str, Any]], *, every: bool) -> None:
    shown = [queue for queue in queues if every or _matters(queue)]
    print_table(_COLUMNS, [_row(queue) for queue in shown])
    if len(shown) < len(queues):
        print(f"{len(queues) - len(shown)} empty queues more: --all shows them.")


def _matters(queue: dict[str, Any]) -> bool:
    rate = queue["rate"]
    busy = queue["depth"] or queue["in_flight"] or queue["dead_letters"] or rate["in_per_s"]
    return bool(busy or rate["out_per_s"] or queue["state"] != "running" or queue["operation"] == "chat")


def _row(queue: dict[str, Any]) -> list[str]:
    return [
        queue["name"],
        queue["state"],
        number(queue["depth"]),
        number(queue["in_flight"]),
        number(queue["consumers"]),
        number(queue["rate"]["in_per_s"], digits=1),
        number(queue["rate"]["out_per_s"], digits=1),
        duration(queue["oldest_age_s"]),
        number(queue["dead_letters"]),
    ]
