"""A process dies between two steps of a job's life, at each point there is: nothing is lost or done twice."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

import pytest

from shared.runtime.crash_points import CrashPoint
from tests.faults.brokers import LOADED
from tests.faults.campaign.history import Killed, Recovered
from tests.faults.campaign.run import Load, load_on, open_jobs, verdict_on
from tests.faults.campaign.victims import postgres_url
from tests.faults.campaign.work import Kind
from tests.faults.settings import CampaignSettings
from tests.support.fleet import Fleet, running_fleet
from tests.support.store import until

pytestmark = pytest.mark.faults

SERVICES: Mapping[str, str] = {
    "submit": "ingress",
    "publish": "ingress",
    "cancel": "ingress",
    "sweep": "scheduler",
    "expire": "scheduler",
    "claim": "provider_worker",
    "call": "provider_worker",
    "result": "provider_worker",
    "record": "results",
    "bill": "results",
    "deliver": "webhook_delivery",
}
"""Who comes to the points whose names begin so."""
KINDS = {"cancel": Kind.CANCELLED, "sweep": Kind.FLAKY, "expire": Kind.HURRIED}
"""Jobs that lead to them; any other leads to the rest."""
ENVIRONMENT = {
    **LOADED,
    "PENSTOCK_BROKER__LEASE_S": "1",
    # So that the scheduler and the worker both want to expire a job.
    "PENSTOCK_SCHEDULER__DEADLINE_GRACE_S": "0",
    "PENSTOCK_SCHEDULER__DEADLINE_INTERVAL_S": "0.02",
}

LIMIT_S = 60.0
PATIENCE_S = 1.5
"""Until another job is submitted: one may not come to the point, as where two race for it."""
DELAY_MS, OVERDUE_MS = 10, 3000


@dataclass
class Scene:
    """A fleet, its clients, and the folder by which its processes are told to die."""

    load: Load
    orders: Path
    _jobs: int = 0

    async def crash_at(self, point: CrashPoint) -> None:
        """Let the process that comes to a point die there."""
        order = self.orders / point
        order.touch()
        self.load.history.record(Killed(victim=service_of(point), pid=0))
        async with asyncio.timeout(LIMIT_S):
            while order.exists():
                await self._lead_to(point, order)

    async def rest(self) -> None:
        """Wait until everybody is back, and all that was begun has its end."""
        url = postgres_url(self.load.fleet)
        await until(lambda: asyncio.to_thread(lambda: self.load.fleet.status()["ready"]), limit_s=LIMIT_S)
        await until(lambda: asyncio.to_thread(lambda: open_jobs(url) == 0), limit_s=LIMIT_S)

    async def _lead_to(self, point: CrashPoint, order: Path) -> None:
        """Submit a job that comes to the point."""
        kind = KINDS.get(point.split(".")[0], Kind.PLAIN)
        self._jobs += 1
        delay_ms = OVERDUE_MS if kind is Kind.HURRIED else DELAY_MS
        job_id = await self.load.jobs.submit(kind, f"{kind}-{point}-{self._jobs}", delay_ms=delay_ms)
        if job_id is not None and kind is Kind.CANCELLED:
            await self.load.jobs.cancel(job_id)

        with contextlib.suppress(TimeoutError):
            await until(lambda: asyncio.to_thread(lambda: not order.exists()), limit_s=PATIENCE_S)


def service_of(point: CrashPoint) -> str:
    return SERVICES[point.split(".")[0]]


def in_turns() -> Sequence[CrashPoint]:
    """Order the points so that nobody dies twice in a row: who does is started anew after longer pauses."""
    names = [service_of(point) for point in CrashPoint]
    turns = [names[:number].count(name) for number, name in enumerate(names)]
    return [point for _, point in sorted(zip(turns, CrashPoint, strict=True), key=itemgetter(0))]


async def crash_at_each(
    points: Sequence[CrashPoint], fleet: Fleet, orders: Path, folder: Path, *, alone: bool
) -> None:
    async with load_on(fleet, seed=1, folder=folder) as load:
        scene = Scene(load, orders)
        for point in points:
            await scene.crash_at(point)
            if alone:
                await scene.rest()
        await scene.rest()
        for point in points:
            load.history.record(Recovered(victim=service_of(point), after_s=0))
        verdict = await verdict_on(load, folder=folder)
    assert not verdict.breaches, verdict.complaint(seed=1)


@pytest.mark.timeout(400)
def test_a_process_may_die_at_any_point(environment: Mapping[str, str], tmp_path: Path) -> None:
    thorough = CampaignSettings().thorough
    points = in_turns() if thorough else in_turns()[bool(environment) :: 2]
    orders = tmp_path / "orders"
    orders.mkdir()
    settings = {**ENVIRONMENT, **environment, "PENSTOCK_CRASH_POINTS_DIR": str(orders)}
    with running_fleet(tmp_path / "fleet", settings) as fleet:
        asyncio.run(crash_at_each(points, fleet, orders, tmp_path, alone=thorough))
        assert fleet.stop() == 0
