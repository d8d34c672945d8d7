"""``penstock webhooks``: endpoints and deliveries of a running fleet."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from services.cli.columns import columns
from services.cli.errors import CommandError
from services.cli.fleet_api import FleetAddress, FleetApi

ENDPOINTS = "/v1/webhook_endpoints"
DELIVERIES = "/v1/webhook_deliveries"
OUTCOME_LIMIT_S = 20.0
POLL_S = 0.2
PAGE = 100


def endpoints(address: FleetAddress, *, as_json: bool) -> None:
    """Print every endpoint, newest first."""
    found = asyncio.run(_pages(address, ENDPOINTS, {}, limit=None))
    _print(found, ("ID", "STATE", "EVENTS", "URL"), _endpoint, as_json=as_json)


def deliveries(
    address: FleetAddress,
    endpoint: str | None,
    conditions: Mapping[str, str | None],
    *,
    limit: int,
    as_json: bool,
) -> None:
    """Print the newest deliveries that fulfil the conditions, of one endpoint or of all."""
    path = f"{ENDPOINTS}/{endpoint}/deliveries" if endpoint else DELIVERIES
    found = asyncio.run(_pages(address, path, conditions, limit=limit))
    headings = ("ID", "CREATED", "TYPE", "STATUS", "TRIES", "ANSWER", "MS", "NEXT")
    _print(found, headings, _delivery, as_json=as_json)


def redeliver(address: FleetAddress, wanted: str, conditions: Mapping[str, str | None]) -> None:
    """Have one delivery sent again, or those of an endpoint that fulfil the conditions.

    Raises:
        CommandError: The fleet does not take it; conditions come with a single delivery.
    """
    named = {name: value for name, value in conditions.items() if value is not None}
    if wanted.startswith("whd_"):
        if named:
            raise CommandError("Conditions choose among an endpoint's deliveries: name the endpoint.")
        asyncio.run(_request(address, "POST", f"{DELIVERIES}/{wanted}/redeliver"))
        print("It is sent again.")
        return
    done = asyncio.run(_request(address, "POST", f"{ENDPOINTS}/{wanted}/redeliver", named))
    print(f"{done['redelivered']} are sent again.")


def send_test(address: FleetAddress, endpoint: str, *, as_json: bool) -> int:
    """Send a test event and wait for its first answer; returns the exit code."""
    delivery = asyncio.run(_test(address, endpoint))
    _print(
        [delivery],
        ("ID", "CREATED", "TYPE", "STATUS", "TRIES", "ANSWER", "MS", "NEXT"),
        _delivery,
        as_json=as_json,
    )
    return 0 if delivery["status"] == "delivered" else 1


async def _request(address: FleetAddress, method: str, path: str, body: Any = None) -> Any:
    async with FleetApi(address) as api:
        return await api.request(method, path, body)


async def _pages(
    address: FleetAddress, path: str, query: Mapping[str, str | None], *, limit: int | None
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after: str | None = None
    async with FleetApi(address) as api:
        while limit is None or len(found) < limit:
            size = PAGE if limit is None else min(PAGE, limit - len(found))
            page = await api.request("GET", path, query={**query, "limit": str(size), "after": after})
            found += page["data"]
            after = page["last_id"]
            if not page["has_more"]:
                break
    return found


async def _test(address: FleetAddress, endpoint: str) -> dict[str, Any]:
    async with FleetApi(address) as api:
        delivery: dict[str, Any] = await api.request("POST", f"{ENDPOINTS}/{endpoint}/test")
        until = asyncio.get_running_loop().time() + OUTCOME_LIMIT_S
        while delivery["attempts"] == 0 and delivery["status"] == "pending":
            if asyncio.get_running_loop().time() > until:
                break
            await asyncio.sleep(POLL_S)
            delivery = await api.request("GET", f"{DELIVERIES}/{delivery['id']}")
    return delivery


def _print(
    found: Sequence[Mapping[str, Any]],
    headings: Sequence[str],
    row: Callable[[Mapping[str, Any]], Sequence[str]],
    *,
    as_json: bool,
) -> None:
    print(json.dumps(found, indent=1) if as_json else columns(headings, [row(one) for one in found]))


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
