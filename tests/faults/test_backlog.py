"""Many more jobs than are run: all are accepted, all end once, and no process grows with their number.

Ten thousand jobs by default; ``make backlog`` runs it with 100,000.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.contracts.jobs import Lane, Operation
from shared.messaging.topology import job_queue
from tests.support.backlog import Memory, backlog_of
from tests.support.fleet import Fleet, running_fleet
from tests.support.store import until

pytestmark = pytest.mark.faults

QUEUE = job_queue(Operation.CHAT, Lane.STANDARD)
LIMIT_S = 420.0
LOOK_S = 0.3
"""Counting very many jobs is work for PostgreSQL, too."""
MAY_GROW_MB = 8.0
"""Of a process's own memory between a fifth of the way and its end: noise, and not a job's worth."""
CLAIM_BYTES = 300
"""What Valkey may keep of a job for an hour: the claim that keeps a second copy of it from running."""
SILENT = {
    "PENSTOCK_SCHEDULER__SILENT_AFTER_S": "2",
    "PENSTOCK_SCHEDULER__SILENT_INTERVAL_S": "1",
}
"""Nearly every job waits for longer than this, so that the watch over lost jobs has to tell it from loss."""


class BacklogSettings(BaseSettings):
    """Environment, e.g. ``PENSTOCK_TEST_BACKLOG=100000``."""

    model_config = SettingsConfigDict(env_prefix="PENSTOCK_TEST_", frozen=True)

    backlog: int = Field(default=10_000, ge=1000)
    """Jobs on each broker."""


@pytest.fixture
def fleet(environment: Mapping[str, str], tmp_path: Path) -> Iterator[Fleet]:
    with running_fleet(tmp_path, {**SILENT, **environment}) as fleet:
        yield fleet


@pytest.mark.timeout(2 * LIMIT_S)
async def test_a_backlog_is_accepted_and_drained_without_loss_or_growth(fleet: Fleet) -> None:
    jobs = BacklogSettings().backlog
    fifth = jobs // 5
    async with backlog_of(fleet) as backlog:

        async def left_at_most(count: int) -> bool:
            progress = await backlog.progress()
            assert progress["publications"] == 1, "a job that only waited was taken for lost"
            return progress["open"] <= count

        async def all_published() -> bool:
            return (await backlog.progress())["unpublished"] == 0

        await backlog.broker.pause(QUEUE)
        await backlog.submit(fifth)
        before = backlog.memory()
        await backlog.submit(jobs - fifth)
        await until(all_published, limit_s=LIMIT_S, every_s=LOOK_S)
        assert (await backlog.progress())["open"] == jobs
        _assert_bounded(before, backlog.memory(), jobs=0)

        await backlog.broker.resume(QUEUE)
        await until(lambda: left_at_most(jobs - fifth), limit_s=LIMIT_S, every_s=LOOK_S)
        before = backlog.memory()
        await until(lambda: left_at_most(0), limit_s=LIMIT_S, every_s=LOOK_S)
        _assert_bounded(before, backlog.memory(), jobs=jobs)
        assert await backlog.ends() == {
            "jobs": jobs,
            "completed": jobs,
            "ambiguous": 0,
            "calls": jobs,
            "ends": jobs,
            "ended": jobs,
        }
        assert (await backlog.broker.stats(QUEUE)).dead == 0


def _assert_bounded(before: Memory, after: Memory, *, jobs: int) -> None:
    allowed = dict.fromkeys(before, MAY_GROW_MB)
    allowed["valkey"] += jobs * CLAIM_BYTES / 1e6
    grown = {name: round(after[name] - before[name], 1) for name in before}
    print(f"grown by MB: {grown}")
    assert not {name: mb for name, mb in grown.items() if mb > allowed[name]}, f"{before} became {after}"
