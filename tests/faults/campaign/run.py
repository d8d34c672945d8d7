"""One campaign from its first job to the checker's word."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import aiohttp
import psycopg

from shared.contracts.ids import parse_public_id
from tests.faults.campaign.calls import Callers
from tests.faults.campaign.chance import chance
from tests.faults.campaign.checker import check
from tests.faults.campaign.evidence import OPEN, Evidence, gather_evidence
from tests.faults.campaign.history import (
    Accepted,
    Called,
    GivenUp,
    History,
    Killed,
    NotAccepted,
    Recovered,
    Told,
)
from tests.faults.campaign.hooks import hearing
from tests.faults.campaign.jobs import LONG_POLL_S, JobClients
from tests.faults.campaign.killer import Killer
from tests.faults.campaign.victims import Victim, postgres_url
from tests.faults.campaign.work import Kind
from tests.faults.settings import CampaignSettings
from tests.support.fleet import Fleet
from tests.support.store import until

QUIET_S = 2.0
"""The load goes on for so long after the last victim is back."""
ENOUGH_LIMIT_S = 1200.0
DRAIN_LIMIT_S = 150.0
READY_LIMIT_S = 30.0


@dataclass(kw_only=True)
class Load:
    """Clients of one fleet, and what they see."""

    fleet: Fleet
    history: History
    jobs: JobClients
    callers: Callers

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Submit and call while the block runs; then wait, within a bound, until all of it has its end."""
        async with asyncio.TaskGroup() as group:
            working = [group.create_task(self.jobs.run()), group.create_task(self.callers.run())]
            yield
            self.jobs.stop.set()
            self.callers.stop.set()
            _, waiting = await asyncio.wait(working, timeout=DRAIN_LIMIT_S)
            if waiting:
                self.history.record(GivenUp(after_s=DRAIN_LIMIT_S))
            for task in waiting:
                task.cancel()


@dataclass(frozen=True)
class Verdict:
    """What happened and what is to be said of it."""

    history: History
    evidence: Evidence
    breaches: list[str]

    def summary(self) -> str:
        """Tell it in a few lines."""
        history = self.history
        calls = Counter(call.outcome for call in history.of(Called))
        ends = Counter(job.status for job in self.evidence.jobs if job.key is not None)
        times = defaultdict(list)
        for recovered in history.of(Recovered):
            times[recovered.victim].append(recovered.after_s)
        back = ", ".join(f"{victim} {max(seconds)}" for victim, seconds in sorted(times.items()))
        return (
            f"{len(history.of(Killed))} kills; {len(history.of(Accepted))} jobs accepted, "
            f"{len(history.of(NotAccepted))} refused or unknown; {dict(ends)} "
            f"by {sum(map(len, self.evidence.spans.values()))} provider calls; calls {dict(calls)}; "
            f"{len(history.of(Told))} webhooks; "
            f"at rest after {history.now():.0f} s; longest recoveries in s: {back}; "
            f"{len(self.breaches)} breaches"
        )

    def complaint(self, *, seed: int) -> str:
        """Say what was wrong and all that helps to find out why."""
        kills = ", ".join(f"{killed.victim} {killed.at:.1f}" for killed in self.history.of(Killed))
        return "\n".join((f"PENSTOCK_TEST_SEED={seed}; kills: {kills}", self.summary(), *self.breaches))


@asynccontextmanager
async def load_on(fleet: Fleet, *, seed: int, folder: Path, submitters: int = 4) -> AsyncIterator[Load]:
    """Connect clients to a fleet, with a history in ``folder``."""
    history = History(folder / "history.jsonl")
    history.begin()
    try:
        async with (
            hearing(history) as webhook,
            aiohttp.ClientSession(
                fleet.url,
                headers={"Authorization": f"Bearer {fleet.api_key}"},
                connector=aiohttp.TCPConnector(limit=0),
                timeout=aiohttp.ClientTimeout(total=None),
            ) as session,
        ):
            jobs = JobClients(
                session=session, history=history, rng=chance(seed), submitters=submitters, webhook=webhook
            )
            callers = Callers(session=session, history=history, rng=chance(seed + 0.5))
            yield Load(fleet=fleet, history=history, jobs=jobs, callers=callers)
    finally:
        history.close()


async def verdict_on(load: Load, *, folder: Path) -> Verdict:
    """Wait until the fleet is ready and at rest, then check; the evidence stays in ``folder``."""
    fleet = load.fleet
    await until(lambda: _is_ready(fleet), limit_s=READY_LIMIT_S)
    await _works_again(load)
    url = postgres_url(fleet)
    with suppress(TimeoutError):  # the checker names what is still open
        await until(lambda: _is_at_rest(load.history, url), limit_s=DRAIN_LIMIT_S, every_s=0.2)
    status = await asyncio.to_thread(fleet.status)
    evidence = await gather_evidence(url, status["simulator_url"])
    (folder / "evidence.json").write_text(evidence.model_dump_json(indent=1))
    return Verdict(load.history, evidence, check(load.history, evidence))


async def run_campaign(
    fleet: Fleet, victims: Sequence[Victim], settings: CampaignSettings, *, folder: Path
) -> Verdict:
    """Load the fleet, kill as told, wait until it is at rest, and check.

    Args:
        fleet: Ready.
        victims: Who may be killed.
        settings: How long it is, and the seed of all that is random: kinds of jobs, victims, moments.
        folder: Gets ``history.jsonl`` and ``evidence.json``.
    """
    seed = settings.seed
    async with load_on(fleet, seed=seed, folder=folder, submitters=settings.submitters) as load:
        killer = Killer(victims=victims, history=load.history, rng=chance(seed), kills=settings.kills)

        async def enough() -> bool:
            return load.jobs.accepted >= settings.jobs

        async with load.running():
            await killer.run()
            await until(enough, limit_s=ENOUGH_LIMIT_S)
            await asyncio.sleep(QUIET_S)
        return await verdict_on(load, folder=folder)


async def _is_ready(fleet: Fleet) -> bool:
    return bool((await asyncio.to_thread(fleet.status))["ready"])


def open_jobs(postgres_url: str) -> int:
    """Count the jobs that have not ended."""
    with psycopg.connect(postgres_url) as connection:
        row = connection.execute(OPEN).fetchone()
    return 0 if row is None else int(row[0])


async def _works_again(load: Load) -> None:
    """Show that the fleet does all that it did before: a call, a job, and the metrics of every service."""
    assert await load.callers.call(streamed=False) == "answered"
    job_id = await load.jobs.submit(Kind.PLAIN, f"{Kind.PLAIN}-last")
    assert job_id is not None
    assert await load.jobs.look(job_id, wait_s=LONG_POLL_S) == "completed"
    status = await asyncio.to_thread(load.fleet.status)
    for service in status["services"]:
        async with aiohttp.request("GET", f"http://127.0.0.1:{service['admin_port']}/metrics") as answer:
            assert answer.status == 200
            assert "penstock_" in await answer.text()


async def _is_at_rest(history: History, postgres_url: str) -> bool:
    """Whether every job has ended and was told, and every call that was answered is recorded."""
    if await asyncio.to_thread(open_jobs, postgres_url) or await asyncio.to_thread(_untold, postgres_url):
        return False
    answered = [parse_public_id("job", call.job_id) for call in history.of(Called) if call.job_id]
    return await asyncio.to_thread(_recorded, postgres_url, answered) == len(answered)


def _untold(postgres_url: str) -> int:
    with psycopg.connect(postgres_url) as connection:
        row = connection.execute("SELECT count(*) FROM webhook_queue").fetchone()
    return 0 if row is None else int(row[0])


def _recorded(postgres_url: str, jobs: list[UUID]) -> int:
    with psycopg.connect(postgres_url) as connection:
        row = connection.execute("SELECT count(*) FROM jobs WHERE id = ANY(%s)", [jobs]).fetchone()
    return 0 if row is None else int(row[0])
