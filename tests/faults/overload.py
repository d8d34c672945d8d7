"""More work is offered than can be done: what clients saw, and what is to be said of it afterwards."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import psycopg

ACCEPTED, REFUSED = 202, 429
SHORTEST_S = 1.0
"""Of an earlier return than this, a fifth is less than one look of the estimate tells."""
TICK_S = 0.005

_WAITS = """
SELECT extract(epoch FROM started_at - created_at)::float8, status
FROM jobs WHERE background AND lane = 'standard'
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a submission was told."""

    at: float
    """Seconds since the beginning."""
    status: int
    retry_after_s: float | None
    """To the millisecond, where it was refused."""


@dataclass(frozen=True)
class Promised:
    """One refusal and what became of it."""

    said_s: float
    took_s: float
    """Until somebody was accepted again."""

    @property
    def error(self) -> float:
        """By what share of the real time the promise was wrong."""
        return abs(self.said_s - self.took_s) / self.took_s


@dataclass
class History:
    """Every answer, in the order of the questions."""

    answers: list[Answer] = field(default_factory=list)
    returned: list[int] = field(default_factory=list)
    """Statuses of second tries of clients that waited as long as they were told."""

    def promises(self) -> Sequence[Promised]:
        """Compare what each refusal said with what happened, where the end is in the history."""
        found: list[Promised] = []
        next_accepted_at: float | None = None
        for answer in sorted(self.answers, key=lambda one: one.at, reverse=True):
            if answer.status == ACCEPTED:
                next_accepted_at = answer.at
            elif answer.retry_after_s is not None and next_accepted_at is not None:
                took_s = next_accepted_at - answer.at
                if took_s >= SHORTEST_S:
                    found.append(Promised(answer.retry_after_s, took_s))
        return found


class Clients:
    """Submit jobs at a pace, whatever the answers are.

    Args:
        http: With the fleet's address and key.
        job: What is submitted.
    """

    def __init__(self, http: aiohttp.ClientSession, job: dict[str, Any]) -> None:
        self._http = http
        self._job = job
        self._began = time.monotonic()
        self.history = History()

    async def offer(self, *, per_second: float, seconds: float) -> None:
        """Submit; now and then one of those who are refused comes back when told."""
        self._began = time.monotonic()
        issued = 0
        async with asyncio.TaskGroup() as group:
            while (now := time.monotonic() - self._began) < seconds:
                while issued / per_second <= now:
                    group.create_task(self._submit(obedient=issued % 25 == 0 and now < 0.6 * seconds))
                    issued += 1
                await asyncio.sleep(TICK_S)

    async def _submit(self, *, obedient: bool) -> None:
        status, wait_s = await self._post()
        if status == REFUSED and obedient:
            await asyncio.sleep(wait_s)
            self.history.returned.append((await self._post())[0])

    async def _post(self) -> tuple[int, float]:
        """Return the status, and the whole seconds to wait."""
        at = time.monotonic() - self._began
        async with self._http.post("/v1/jobs", json=self._job) as answer:
            exact = answer.headers.get("retry-after-ms")
            self.history.answers.append(
                Answer(at, answer.status, None if exact is None else int(exact) / 1000)
            )
            await answer.read()
            return answer.status, float(answer.headers.get("Retry-After", 0))


def waits_s(postgres_url: str) -> list[float]:
    """Say how long each accepted job waited until it began, in ascending order; all of them must have."""
    with psycopg.connect(postgres_url) as connection:
        rows = connection.execute(_WAITS).fetchall()
    assert {status for _, status in rows} == {"completed"}, rows
    return sorted(float(wait) for wait, _ in rows)
