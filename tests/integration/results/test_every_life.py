"""Every life that a job can have, on the real store: workers, messages in any order, ends from all sides."""

import asyncio
from collections import Counter
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.results.adapters.job_store import JobStore
from services.results.domain.batch import Batch
from services.results.domain.lifecycle import JobMessage
from services.scheduler.adapters.outbox import OutboxTable
from services.scheduler.adapters.silent_jobs import SilentJobsTable
from shared.contracts.ids import first_id_at
from shared.contracts.jobs import (
    JobDelta,
    JobsHeld,
    JobStatus,
    Lane,
    Operation,
    Usage,
)
from shared.storage.postgres import Database
from shared.storage.transitions import JobEnd, finish_jobs
from tests.support.store import Job, Jobs, settings_for

FINAL = [status for status in JobStatus if status.final]
MAX_ATTEMPTS = 3
ACCOUNT = {"ambiguous_attempts", "input_tokens", "output_tokens", "cached_tokens", "cost_microusd"}
"""Columns of a job that may grow after its end."""
A_MINUTE_AGO = "UPDATE outbox SET published_at = published_at - interval '61 seconds', held_at = NULL"
_EVENTS = "SELECT sequence, type, data FROM job_events WHERE job_id = $1 ORDER BY sequence"
T = TypeVar("T")


class Lives(BaseSettings):
    """Environment, e.g. ``PENSTOCK_TEST_LIVES=1000``."""

    model_config = SettingsConfigDict(env_prefix="PENSTOCK_TEST_", frozen=True)

    lives: int = Field(default=12, ge=1)


class World:
    """The store, and a loop that outlives a test's examples."""

    def __init__(self, url: str) -> None:
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        self.run(self._open(url))

    async def _open(self, url: str) -> None:
        opened = [
            Database(settings_for(url), role=role, name="test")
            for role in ("penstock_app", "penstock_system")
        ]
        self.app, self.system = [await self._stack.enter_async_context(database) for database in opened]
        self.jobs, self.store = Jobs(self.app, self.system), JobStore(self.system)
        self.outbox = OutboxTable(self.system)
        self.silent = SilentJobsTable(self.system, max_publications=10)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    async def look(self, job: Job) -> tuple[Any, ...]:
        """Return the job's row, events, outbox row and attempts."""
        async with self.system.transaction() as connection:
            row = await connection.fetchrow("SELECT * FROM jobs WHERE id = $1", job.id)
            events = await connection.fetch(_EVENTS, job.id)
            outbox = await connection.fetchrow("SELECT * FROM outbox WHERE job_id = $1", job.id)
            attempts = await connection.fetch("SELECT * FROM job_attempts WHERE job_id = $1", job.id)
        return row, [tuple(event) for event in events], outbox, {one["start_id"]: one for one in attempts}

    def close(self) -> None:
        self.run(self._stack.aclose())
        self._runner.close()


@pytest.fixture(scope="module")
def world(migrated_url: str) -> Iterator[World]:
    world = World(migrated_url)
    yield world
    world.close()


@dataclass
class Start:
    """One provider call, as its worker knows it."""

    id: UUID
    attempt: int
    usage: Usage
    deltas: int = 0
    alive: bool = True
    reported: bool = False
    """Word of its end, and so of its usage, has reached the store."""


@dataclass(eq=False)
class Life(RuleBasedStateMachine):
    """A job, the workers that had it, and the messages that they sent: each arrives at any time, or twice."""

    world: World
    starts: dict[UUID, Start] = field(default_factory=dict)
    sent: list[JobMessage] = field(default_factory=list)
    arrived: set[int] = field(default_factory=set)
    known: set[UUID] = field(default_factory=set)
    """Starts of which the store has heard."""
    published: int = 0
    """The attempt that is on the broker; it is never taken off, as a worker may die with it."""
    end: Any = None

    def __post_init__(self) -> None:
        super().__init__()

    @initialize()
    def submit(self) -> None:
        self.job: Job = self.world.run(self.world.jobs.submit())
        self.sweep()

    # --- the scheduler -------------------------------------------------------------------------------

    @rule()
    def schedule(self) -> None:
        """Whoever is silent for a minute is renewed, and what is due is published."""
        self.world.run(self.world.jobs.execute(A_MINUTE_AGO))
        self.world.run(self.world.silent.renew((Operation.CHAT, Lane.STANDARD), after_s=60, limit=1000))
        self.sweep()

    def sweep(self) -> None:
        due, _ = self.world.run(self.world.outbox.claim(1000, retry_s=0))
        mine = [one for one in due if one.request.job_id == self.job.id]
        self.world.run(self.world.outbox.mark([one.publication for one in due]))
        for one in mine:
            self.published = one.request.attempt

    @precondition(lambda self: len(self.arrived) > 1)
    @rule(status=st.sampled_from([JobStatus.CANCELLED, JobStatus.EXPIRED]))
    def end_from_outside(self, status: JobStatus) -> None:
        """A caller cancels, or the deadline passes."""
        database, tenant = (
            (self.world.app, self.job.tenant) if status is JobStatus.CANCELLED else (self.world.system, None)
        )

        async def finish() -> set[UUID]:
            async with database.transaction(tenant) as connection:
                end = JobEnd(job_id=self.job.id, status=status, finished_at=datetime.now(UTC))
                return await finish_jobs(connection, [end])

        assert self.world.run(finish()) == (set() if self.end else {self.job.id})

    # --- workers -------------------------------------------------------------------------------------

    @precondition(lambda self: self.published)
    @rule(tokens=st.integers(1, 9))
    def start(self, tokens: int) -> None:
        moment = datetime.now(UTC) + timedelta(seconds=len(self.starts))
        start = Start(
            first_id_at(moment), self.published, Usage(input_tokens=tokens, cost_microusd=tokens or None)
        )
        self.starts[start.id] = start
        self.sent.append(self.job.started(start.id, attempt=start.attempt))

    @precondition(lambda self: self.running)
    @rule(data=st.data(), status=st.sampled_from([*FINAL, None]))
    def finish(self, data: st.DataObject, status: JobStatus | None) -> None:
        """A call ends, or its worker dies without a word."""
        start = data.draw(st.sampled_from(self.running))
        start.alive = False
        if status is None:
            return
        body = b'{"choices":[]}' if status is JobStatus.COMPLETED else b""
        self.sent.append(
            self.job.finished(
                start.id, status, attempt=start.attempt, usage=start.usage, deltas=start.deltas, body=body
            )
        )

    @precondition(lambda self: self.running)
    @rule(data=st.data(), streams=st.integers(0, 3))
    def go_on(self, data: st.DataObject, streams: int) -> None:
        """A call streams, or its failure is worth another attempt."""
        start = data.draw(st.sampled_from(self.running))
        for _ in range(streams):
            self.sent.append(self.job.delta(start.id, start.deltas))
            start.deltas += 1
        if not streams and start.attempt < MAX_ATTEMPTS:
            start.alive = False
            now = datetime.now(UTC)
            deferred = self.job.deferred(start.id, attempt=start.attempt, usage=start.usage, retry_at=now)
            self.sent.append(deferred)

    @property
    def running(self) -> list[Start]:
        return [start for start in self.starts.values() if start.alive]

    # --- results -------------------------------------------------------------------------------------

    @precondition(lambda self: self.sent)
    @rule(data=st.data(), held=st.booleans())
    def record(self, data: st.DataObject, held: bool) -> None:
        """Some messages arrive together, in any order, whether they came before or not."""
        self._record(
            data.draw(st.lists(st.integers(0, len(self.sent) - 1), min_size=1, max_size=6)), held=held
        )

    @rule()
    def record_what_is_missing(self) -> None:
        """All that has not come comes, in the order in which it was sent."""
        self._record([number for number in range(len(self.sent)) if number not in self.arrived], held=False)

    def _record(self, numbers: list[int], *, held: bool) -> None:
        batch = Batch()
        for number in numbers:
            self._expect(self.sent[number])
            batch.add(self.sent[number])
        if held:
            batch.add(JobsHeld(worker="w", job_ids=(self.job.id,), held_at=datetime.now(UTC)))
        self.arrived.update(numbers)
        self.world.run(self.world.store.record(batch))

    def _expect(self, message: JobMessage) -> None:
        if isinstance(message, JobDelta) or message.start_id is None:
            return
        self.known.add(message.start_id)
        if message.message_type != "job.started.v1":
            self.starts[message.start_id].reported = True

    # --- what holds at every moment --------------------------------------------------------------------

    @invariant()
    def the_record_is_sound(self) -> None:
        row, events, outbox, attempts = self.world.run(self.world.look(self.job))
        self._check_events(row, [kind for _, kind, _ in events], [number for number, _, _ in events])
        final = JobStatus(row["status"]).final
        assert (outbox is None) is final
        assert outbox is None or outbox["attempt"] == row["attempt"]
        end = ({name: value for name, value in row.items() if name not in ACCOUNT}, events) if final else None
        assert self.end in (None, end), "an end has changed"
        self.end = end
        self._check_account(row, attempts)

    def _check_events(self, row: dict[str, Any], types: list[str], numbers: list[int]) -> None:
        assert numbers == list(range(1, row["last_event"] + 1))
        terminal = [kind for kind in types if kind in {f"job.{status}" for status in FINAL}]
        final = JobStatus(row["status"]).final
        assert terminal == ([f"job.{row['status']}"] if final else [])
        assert not final or types[-1] == terminal[0]

    def _check_account(self, row: dict[str, Any], attempts: dict[UUID, dict[str, Any]]) -> None:
        """Every start that is known has its row, and what it used is in it and in the job once."""
        assert attempts.keys() == self.known
        of_attempts = Counter(self.starts[start].attempt for start in self.known)
        assert row["ambiguous_attempts"] == sum(count - 1 for count in of_attempts.values())
        assert row["attempt"] + row["ambiguous_attempts"] >= len(self.known)
        for start_id, attempt in attempts.items():
            start = self.starts[start_id]
            assert attempt["input_tokens"] == (start.usage.input_tokens if start.reported else 0)
            assert not self.end or attempt["outcome"] != "started"
        used = [start.usage.input_tokens for start in self.starts.values() if start.reported]
        assert (row["input_tokens"], row["cost_microusd"] or 0) == (sum(used), sum(used))


@pytest.mark.timeout(1200)
def test_a_job_has_one_end_and_every_call_is_in_its_account_whatever_happens(world: World) -> None:
    run_state_machine_as_test(
        lambda: Life(world),
        settings=settings(
            max_examples=Lives().lives,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
