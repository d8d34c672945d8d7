"""One campaign from its first job to the checker's word."""

import asyncio
from collections import Counter, defaultdict
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import psycopg

from tests.faults.campaign.calls import Callers
from tests.faults.campaign.chance import chance
from tests.faults.campaign.checker import check
from tests.faults.campaign.evidence import OPEN, Evidence, gather_evidence
from tests.faults.campaign.history import Accepted, Called, History, Killed, NotAccepted, Recovered
from tests.faults.campaign.jobs import JobClients
from tests.faults.campaign.killer import Killer
from tests.faults.campaign.victims import Victim, postgres_url
from tests.support.fleet import Fleet
from tests.support.store import until

QUIET_S = 2.0
"""The load goes on for so long after the last victim is back."""
DRAIN_LIMIT_S = 120.0
READY_LIMIT_S = 30.0


@dataclass(frozen=True)
class Campaign:
    """What happened and what is to be said of it."""

    seed: int
    history: History
    evidence: Evidence
    breaches: list[str]
    drained_in_s: float

    def summary(self) -> str:
        """Tell it in a few lines."""
        history = self.history
        calls = Counter(call.outcome for call in history.of(Called))
        ends = Counter(job.status for job in self.evidence.jobs if job.key is not None)
        times = defaultdict(list)
        for recovered in history.of(Recovered):
            times[recovered.victim].append(recovered.after_s)
        back = ", ".join(f"{victim} {max(seconds)}" for victim, seconds in sorted(times.items()))
        starts = sum(self.evidence.calls.values())
        return (
            f"seed {self.seed}: {len(history.of(Killed))} kills; {len(history.of(Accepted))} jobs accepted, "
            f"{len(history.of(NotAccepted))} refused or unknown; {dict(ends)}; {starts} calls for jobs; "
            f"calls {dict(calls)}; drained in {self.drained_in_s:.1f} s; longest recovery: {back}; "
            f"{len(self.breaches)} breaches"
        )


async def run_campaign(
    fleet: Fleet, victims: list[Victim], *, seed: int, kills: int, folder: Path
) -> Campaign:
    """Load the fleet, kill as told, wait until it is at rest, and check.

    Args:
        fleet: Ready.
        victims: Who may be killed.
        seed: Of everything that is random: kinds of jobs, victims, moments.
        kills: How many.
        folder: Gets ``history.jsonl`` and ``evidence.json``.
    """
    rng = chance(seed)
    history = History(folder / "history.jsonl")
    async with AsyncExitStack() as stack:
        stack.callback(history.close)
        session = await stack.enter_async_context(
            aiohttp.ClientSession(
                fleet.url,
                headers={"Authorization": f"Bearer {fleet.api_key}"},
                connector=aiohttp.TCPConnector(limit=0),
                timeout=aiohttp.ClientTimeout(total=None),
            )
        )
        jobs = JobClients(session=session, history=history, rng=chance(rng.random()))
        callers = Callers(session=session, history=history, rng=chance(rng.random()))
        killer = Killer(victims=victims, history=history, rng=rng, kills=kills)
        drained_in_s = await _storm(fleet, killer, jobs, callers)
    status = await asyncio.to_thread(fleet.status)
    evidence = await gather_evidence(postgres_url(fleet), status["simulator_url"])
    (folder / "evidence.json").write_text(evidence.model_dump_json(indent=1))
    return Campaign(seed, history, evidence, check(history, evidence), drained_in_s)


async def _storm(fleet: Fleet, killer: Killer, jobs: JobClients, callers: Callers) -> float:
    """Run load and killer; returns the seconds from the last job to the end of all."""
    async with asyncio.TaskGroup() as group:
        working = [group.create_task(jobs.run()), group.create_task(callers.run())]
        await killer.run()
        await asyncio.sleep(QUIET_S)
        jobs.stop.set()
        callers.stop.set()
        ended_at = jobs.history.now()
        await asyncio.wait(working, timeout=DRAIN_LIMIT_S)
        for task in working:
            task.cancel()  # the checker says what is missing
    await until(lambda: _is_ready(fleet), limit_s=READY_LIMIT_S)
    await _until_nothing_is_open(fleet)
    return jobs.history.now() - ended_at


async def _is_ready(fleet: Fleet) -> bool:
    return bool((await asyncio.to_thread(fleet.status))["ready"])


async def _until_nothing_is_open(fleet: Fleet) -> None:
    """Wait also for jobs whose clients never heard of them; the checker names those that stay open."""
    url = postgres_url(fleet)
    with suppress(TimeoutError):
        await until(lambda: asyncio.to_thread(_nothing_is_open, url), limit_s=DRAIN_LIMIT_S)


def _nothing_is_open(url: str) -> bool:
    with psycopg.connect(url) as connection:
        return connection.execute(OPEN).fetchone() == (0,)
