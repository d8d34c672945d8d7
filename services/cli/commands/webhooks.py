"""``penstock webhooks``: endpoints and deliveries of a running fleet."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from services.cli.errors import CommandError
from services.cli.fleet_api import FleetApi, path_of
from services.cli.tables import print_json, print_table

ENDPOINTS = ("v1", "webhook_endpoints")
DELIVERIES = ("v1", "webhook_deliveries")
OUTCOME_LIMIT_S = 20.0
POLL_S = 0.2
PAGE = 100
_DELIVERY = ("ID", "CREATED", "TYPE", "STATUS", ">TRIES", "ANSWER", ">MS", "NEXT")


def endpoints(api: FleetApi, *, as_json: bool) -> None:
    """Print every endpoint, newest first."""
    found = _pages(api, path_of(*ENDPOINTS), {}, limit=None)
    _print(found, ("ID", "STATE", "EVENTS", "URL"), _endpoint, as_json=as_json)


def deliveries(
    api: FleetApi,
    endpoint: str | None,
    conditions: Mapping[str, str | None],
    *,
    limit: int,
    as_json: bool,
) -> None:
    """Print the newest deliveries that fulfil the conditions, of one endpoint or of all."""
    path = path_of(*ENDPOINTS, endpoint, "deliveries") if endpoint else path_of(*DELIVERIES)
    found = _pages(api, path, conditions, limit=limit)
    _print(found, _DELIVERY, _delivery, as_json=as_json)


def redeliver(api: FleetApi, wanted: str, conditions: Mapping[str, str | None]) -> None:
    """Have one delivery sent again, or those of an endpoint that fulfil the conditions.

    Raises:
        CommandError: The fleet does not take it; conditions come with a single delivery.
    """
    named = {name: value for name, value in conditions.items() if value is not None}
    if wanted.startswith("whd_"):
        if named:
            raise CommandError("Conditions choose among an endpoint's deliveries: name the endpoint.")
        api.post(path_of(*DELIVERIES, wanted, "redeliver"))
        print("It is sent again.")
        return
    done = api.post(path_of(*ENDPOINTS, wanted, "redeliver"), named)
    print(f"{done['redelivered']} are sent again.")


def send_test(api: FleetApi, endpoint: str, *, as_json: bool) -> int:
    """Send a test event and wait for its first answer; returns the exit code."""
    delivery = _test(api, endpoint)
    _print([delivery], _DELIVERY, _delivery, as_json=as_json)
    return 0 if delivery["status"] == "delivered" else 1


def _pages(
    api: FleetApi, path: str, query: Mapping[str, str | None], *, limit: int | None
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after: str | None = None
    while limit is None or len(found) < limit:
        size = PAGE if limit is None else min(PAGE, limit - len(found))
        page = api.get(path, **query, limit=size, after=after)
        found += page["data"]
        after = page["last_id"]
        if not page["has_more"]:
            break
    return found


def _test(api: FleetApi, endpoint: str) -> dict[str, Any]:
    delivery: dict[str, Any] = api.post(path_of(*ENDPOINTS, endpoint, "test"))
    until = time.monotonic() + OUTCOME_LIMIT_S
    while delivery["attempts"] == 0 and delivery["status"] == "pending" and time.monotonic() < until:
        time.sleep(POLL_S)
        delivery = api.get(path_of(*DELIVERIES, delivery["id"]))
    return delivery


def _print(
    found: Sequence[Mapping[str, Any]],
    headings: Sequence[str],
    row: Callable[[Mapping[str, Any]], Sequence[str]],
    *,
    as_json: bool,
) -> None:
    if as_json:
        print_json(found)
    else:
        print_table(headings, [row(one) for one in found])


def _endpoint(one: Mapping[str, Any]) -> Sequence[str]:
    state = "enabled" if one["enabled"] else f"disabled ({one['disabled_reason']})"
    return one["id"], state, ",".join(one["events"]), one["url"]


def _delivery(one: Mapping[str, Any]) -> Sequence[str]:
    last = one["last_attempt"] or {}
    answer = last.get("response_status") or last.get("error") or "-"
    taken = last.get("duration_ms")
    return (
        one["id"],
        _time(one["created_at"]),
        one["type"],
        one["status"],
        str(one["attempts"]),
        str(answer),
        "-" if taken is None else str(taken),
        _time(one["next_attempt_at"]),
    )


def _time(seconds: int | None) -> str:
    return "-" if seconds is None else f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%SZ}"
