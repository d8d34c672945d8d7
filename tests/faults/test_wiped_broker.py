"""The broker loses all of its data with jobs queued: every one of them ends, once."""

import asyncio
from pathlib import Path

import pytest

from tests.faults.brokers import LOADED
from tests.faults.campaign.checker import BROKERS_DATA
from tests.faults.campaign.history import Accepted, Killed, Recovered
from tests.faults.campaign.run import load_on, open_jobs, verdict_on
from tests.faults.campaign.victims import RabbitVictim, postgres_url
from tests.faults.campaign.work import Kind
from tests.support.fleet import Fleet, running_fleet
from tests.support.rabbitmq import RabbitNode
from tests.support.store import until

pytestmark = [pytest.mark.faults, pytest.mark.rabbitmq]

JOBS = 80
ENVIRONMENT = {
    **LOADED,
    "PENSTOCK_WORKER__CONCURRENCY": "4",  # so that most jobs are still queued when the broker dies
    "PENSTOCK_WORKER__HELD_INTERVAL_S": "1",
    "PENSTOCK_SCHEDULER__SILENT_INTERVAL_S": "1",
    "PENSTOCK_SCHEDULER__SILENT_AFTER_S": "3",
    "PENSTOCK_SCHEDULER__SILENT_GRACE_S": "2",
}


async def lose_everything(fleet: Fleet, node: RabbitNode, folder: Path) -> None:
    async with load_on(fleet, seed=1, folder=folder) as load:
        kinds = [Kind.PLAIN, Kind.PLAIN, Kind.STREAMED, Kind.FLAKY]
        for number in range(JOBS):
            kind = kinds[number % len(kinds)]
            await load.jobs.submit(kind, f"{kind}-{number}")
        assert len(load.history.of(Accepted)) == JOBS
        victim = RabbitVictim(node)
        pid = victim.kill()
        assert await asyncio.to_thread(open_jobs, postgres_url(fleet)) > JOBS / 2
        lost = (victim.name, BROKERS_DATA)
        for name in lost:
            load.history.record(Killed(victim=name, pid=pid))
        node.wipe()
        await victim.back(pid)
        for name in lost:
            load.history.record(Recovered(victim=name, after_s=0))

        async def answered() -> bool:
            return await load.callers.call(streamed=False) == "answered"

        await until(answered, limit_s=30)
        verdict = await verdict_on(load, folder=folder)
    assert not verdict.breaches, "\n".join(verdict.breaches)


@pytest.mark.timeout(300)
def test_jobs_that_were_queued_when_the_brokers_data_was_deleted_all_finish_once(
    own_rabbitmq_node: RabbitNode, tmp_path: Path
) -> None:
    own_rabbitmq_node.start()
    environment = {**ENVIRONMENT, "PENSTOCK_BROKER__URL": own_rabbitmq_node.url}
    with running_fleet(tmp_path / "fleet", environment) as fleet:
        asyncio.run(lose_everything(fleet, own_rabbitmq_node, tmp_path))
        assert fleet.stop() == 0
