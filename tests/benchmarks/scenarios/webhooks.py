"""Webhooks: how many a second, and how long the good receivers wait while one hangs."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import uvloop
from pydantic import SecretStr

from shared.config.settings import PostgresSettings
from shared.contracts.ids import new_id
from shared.messaging.announcements import announce_webhooks
from shared.messaging.broker import Broker
from shared.storage.postgres import Database
from shared.storage.webhook_events import Event
from shared.storage.webhook_planning import Planned, plan
from tests.benchmarks.jobs import broker_of
from tests.benchmarks.receiver import HANGING_PATH, Receiver, receiving
from tests.benchmarks.report import Report
from tests.benchmarks.site import Site

GOOD = 99
BACKLOG = 5000
OFFERED_PER_S = 200
LIMIT_S = 120.0
ROUNDS = 2
"""Alone and beside a hanging receiver, in turn: what else the machine does falls on both."""

_ENDPOINT = "INSERT INTO webhook_endpoints (id, tenant_id, url) VALUES ($1, $2, $3)"


@dataclass(frozen=True)
class Bench:
    """What plans events, and what receives them."""

    database: Database
    broker: Broker
    receiver: Receiver
    tenant: UUID

    async def endpoint(self, path: str) -> UUID:
        made = new_id()
        async with self.database.transaction() as connection:
            await connection.execute(_ENDPOINT, made, self.tenant, self.receiver.url(path))
        return made

    async def happen(self, endpoints: Sequence[UUID], count: int) -> None:
        """Plan an event for each of ``count`` deliveries, one endpoint after the other."""
        sent_at = time.monotonic()
        planned = [
            Planned(
                tenant_id=self.tenant,
                event=Event(type="bench.happened", data={"sent_at": sent_at, "text": "x" * 400}),
                endpoints=[endpoints[number % len(endpoints)]],
            )
            for number in range(count)
        ]
        async with self.database.transaction() as connection:
            await plan(connection, planned)
        await announce_webhooks(self.broker)

    async def forget(self, endpoint: UUID) -> None:
        """Leave nothing of an endpoint to be sent."""
        async with self.database.transaction() as connection:
            await connection.execute("DELETE FROM webhook_queue WHERE target = $1", endpoint)
        self.receiver.hang_up()

    async def paced(self, endpoints: Sequence[UUID], seconds: float) -> list[float]:
        """Let events happen at an even pace; returns how long each good one took, in seconds."""
        self.receiver.latencies_s.clear()
        every_s, began, told = 0.05, time.monotonic(), 0
        each = round(OFFERED_PER_S * every_s)
        while (due := began + told // each * every_s) < began + seconds:
            await asyncio.sleep(max(due - time.monotonic(), 0))
            await self.happen([endpoints[(told + at) % len(endpoints)] for at in range(each)], each)
            told += each
        good = sum((number % len(endpoints)) < GOOD for number in range(told))
        await self.receiver.until(good, limit_s=LIMIT_S)
        return sorted(self.receiver.latencies_s)


def run(site: Site, report: Report) -> None:
    """Deliver a backlog; then a steady stream with and without a receiver that hangs."""
    uvloop.run(_run(site, report))


async def _run(site: Site, report: Report) -> None:
    settings = PostgresSettings(url=SecretStr(site.postgres_url))
    async with (
        Database(settings, role="penstock_system", name="benchmark") as database,
        broker_of(site) as broker,
        receiving() as receiver,
    ):
        bench = Bench(database, broker, receiver, new_id())
        good = [await bench.endpoint(f"/{number}") for number in range(GOOD)]
        for title, endpoints in (("99 receivers", good), ("one receiver", good[:1])):
            await _backlog(bench, report, title, endpoints)
        hanging = await bench.endpoint(HANGING_PATH.decode())
        alone: list[float] = []
        beside: list[float] = []
        for _ in range(ROUNDS):
            alone += await bench.paced(good, site.seconds / 2)
            beside += await bench.paced([*good, hanging], site.seconds / 2)
            await bench.forget(hanging)
    _tell(report, sorted(alone), sorted(beside), receiver.hanging)


async def _backlog(bench: Bench, report: Report, title: str, endpoints: Sequence[UUID]) -> None:
    bench.receiver.latencies_s.clear()
    began = time.monotonic()
    await bench.happen(endpoints, BACKLOG)
    planned_s = time.monotonic() - began
    await bench.receiver.until(BACKLOG, limit_s=LIMIT_S)
    took_s = time.monotonic() - began
    name = "webhooks.per_second" if len(endpoints) > 1 else "webhooks.one.per_second"
    report.fact(name, BACKLOG / took_s)
    report.table(
        f"{BACKLOG:,} webhooks to {title}, from the first plan to the last arrival",
        ["planned in s", "delivered in s", "delivered/s"],
        [[planned_s, took_s, BACKLOG / took_s]],
    )


def _tell(report: Report, alone: Sequence[float], beside: Sequence[float], hung: int) -> None:
    ratio = _percentile(beside, 0.99) / _percentile(alone, 0.99)
    report.fact("webhooks.hanging_ratio", ratio)
    report.table(
        f"{OFFERED_PER_S} webhooks/s to {GOOD} good receivers, from the event to its arrival",
        ["beside them", "webhooks", "p50 ms", "p99 ms"],
        [
            [what, len(taken), _percentile(taken, 0.5) * 1000, _percentile(taken, 0.99) * 1000]
            for what, taken in (("nobody", alone), (f"one that hangs ({hung} requests)", beside))
        ],
        f"p99 beside a receiver that hangs: {ratio:.2f} of theirs alone.",
    )


def _percentile(ordered: Sequence[float], part: float) -> float:
    return ordered[min(int(len(ordered) * part), len(ordered) - 1)]
