"""Clients of background jobs: submit, cancel, look, follow; what goes wrong is recorded and tried again."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.faults.campaign.chance import Chance
from tests.faults.campaign.checker import FINAL
from tests.faults.campaign.history import (
    Accepted,
    Cancelled,
    Followed,
    History,
    NotAccepted,
    Seen,
    Submitted,
)
from tests.faults.campaign.work import Kind, any_kind, submission

PAUSE_S = 0.3
"""Between two tries of what failed."""
LOOK_AGAIN_S = (0.5, 2.0)
"""The same for those who wait for a job: hundreds of them must not come back all at once."""
ANSWER_LIMIT = aiohttp.ClientTimeout(total=30)
STREAM_LIMIT = aiohttp.ClientTimeout(total=None, sock_read=45)
LONG_POLL_S = 10
BROKEN = (aiohttp.ClientError, TimeoutError, OSError)


@dataclass(kw_only=True)
class JobClients:
    """Submits until it is told to stop; follows every job that it got a 202 for to its end."""

    session: aiohttp.ClientSession
    history: History
    rng: Chance
    submitters: int = 4
    mean_pause_s: float = 0.15
    """Of each submitter, between two jobs."""
    webhook: str | None = None
    """Whom every job tells of its end."""
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    accepted: int = 0
    _count: int = 0

    async def run(self) -> None:
        """Return when every accepted job was seen at its end."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self.submitters):
                group.create_task(self._submit(group))

    async def _submit(self, group: asyncio.TaskGroup) -> None:
        while not self.stop.is_set():
            await asyncio.sleep(self.rng.expovariate(1 / self.mean_pause_s))
            self._count += 1
            kind = any_kind(self.rng)
            job_id = await self.submit(kind, f"{kind}-{self._count}")
            if job_id is None:
                continue
            group.create_task(self._watch(job_id))
            if kind is Kind.CANCELLED:
                group.create_task(self.cancel(job_id, after_s=self.rng.uniform(0, 4)))
            if self.rng.random() < 0.25:
                group.create_task(self._follow(job_id))

    async def submit(
        self, kind: Kind, key: str, *, lane: str | None = None, delay_ms: int | None = None
    ) -> str | None:
        """Send one job, once: without an answer it may exist or not. Returns its id if there was a 202."""
        body = submission(kind, key, self.rng, lane=lane, delay_ms=delay_ms, webhook=self.webhook)
        began = self.history.now()
        self.history.record(Submitted(key=key, kind=kind))
        try:
            async with self.session.post("/v1/jobs", json=body, timeout=ANSWER_LIMIT) as answer:
                content = await answer.json()
        except BROKEN as error:
            self.history.record(NotAccepted(key=key, began=began, status=0, reason=repr(error)))
            return None
        if answer.status != 202:
            reason = str(content)
            self.history.record(NotAccepted(key=key, began=began, status=answer.status, reason=reason))
            return None
        self.history.record(Accepted(key=key, job_id=content["id"]))
        self.accepted += 1
        return str(content["id"])

    async def _watch(self, job_id: str) -> None:
        """Wait for the end, and look once more later: an end must stay what it is."""
        while await self.look(job_id, wait_s=LONG_POLL_S) not in FINAL:
            pass
        await asyncio.sleep(self.rng.uniform(0, 3))
        await self.look(job_id, wait_s=0)

    async def look(self, job_id: str, *, wait_s: int) -> str | None:
        """Record what a job is, after its end where that comes in time; None without an answer."""
        try:
            async with self.session.get(
                f"/v1/jobs/{job_id}", params={"wait": wait_s}, timeout=ANSWER_LIMIT
            ) as answer:
                job: dict[str, Any] = await answer.json()
        except BROKEN:
            job = {}
        if "status" not in job:
            await asyncio.sleep(self.rng.uniform(*LOOK_AGAIN_S))
            return None
        self.history.record(
            Seen(
                job_id=job_id,
                status=job["status"],
                finished_at=job["finished_at"],
                last_event=job["last_event"],
            )
        )
        return str(job["status"])

    async def cancel(self, job_id: str, *, after_s: float = 0) -> None:
        """Ask for a cancellation once, and record the answer."""
        await asyncio.sleep(after_s)
        try:
            async with self.session.post(f"/v1/jobs/{job_id}/cancel", timeout=ANSWER_LIMIT) as answer:
                status = answer.status
        except BROKEN:
            status = 0
        self.history.record(Cancelled(job_id=job_id, status=status))

    async def _follow(self, job_id: str) -> None:
        """Read the job's events to the last, going on after each broken connection where it broke."""
        sequences: list[int] = []
        while True:
            try:
                async for sequence, name in self._events(job_id, after=sequences[-1] if sequences else 0):
                    sequences.append(sequence)
                    if name.removeprefix("job.") in FINAL:
                        self.history.record(Followed(job_id=job_id, sequences=tuple(sequences)))
                        return
            except BROKEN:
                pass
            await asyncio.sleep(PAUSE_S)

    async def _events(self, job_id: str, *, after: int) -> AsyncIterator[tuple[int, str]]:
        async with self.session.get(
            f"/v1/jobs/{job_id}/events", headers={"Last-Event-ID": str(after)}, timeout=STREAM_LIMIT
        ) as answer:
            if answer.status != 200:
                return
            fields: dict[str, str] = {}
            async for raw in answer.content:
                line = raw.decode().rstrip("\n")
                if not line and "id" in fields:
                    yield int(fields["id"]), fields["event"]
                    fields = {}
                elif not line.startswith(":"):
                    name, _, value = line.partition(": ")
                    fields[name] = value
