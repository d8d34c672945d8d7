"""Dead letters in an operator's hand: those of jobs that have their end are not put back."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import UUID

from services.ingress.adapters.broker_link import BrokerLink
from services.ingress.adapters.patience import database_patience
from services.ingress.domain.dead_letter_view import StayingLetter
from services.ingress.domain.fleet_queue import FleetQueue
from shared.contracts.jobs import JobRequested, JobStatus
from shared.errors import MalformedMessageError
from shared.messaging.broker import DeadLetter
from shared.messaging.dead_letters import MOST_AT_ONCE, DeadLetterChoice
from shared.storage.postgres import Database

_PAGE = 100
_STATUSES = "SELECT id, status FROM jobs WHERE id = ANY($1::uuid[]) AND id BETWEEN $2 AND $3"


@dataclass(slots=True)
class Replayed:
    """What came of a replay."""

    count: int = 0
    """How many were put back on their queue."""
    staying: list[StayingLetter] = field(default_factory=list)
    more: bool = False
    """Whether there may be others that were meant: one call does a bounded number."""


class DeadLetterDesk:
    """Lists, replays and discards.

    Args:
        link: The broker.
        database: As ``penstock_system``: dead letters are of every tenant.
    """

    def __init__(self, link: BrokerLink, database: Database) -> None:
        self._link = link
        self._database = database

    async def page(
        self, queue: FleetQueue, choice: DeadLetterChoice, *, limit: int, offset: int
    ) -> tuple[Sequence[DeadLetter], int]:
        """Return some, oldest first, and how many there are whatever the choice."""
        await self._link.ping()
        letters = await self._link.broker.dead_letters(queue.name, choice, limit=limit, offset=offset)
        stats = await self._link.broker.stats(queue.name, with_age=False)
        return letters, stats.dead

    async def discard(self, queue: FleetQueue, choice: DeadLetterChoice) -> tuple[int, bool]:
        """Delete some; returns how many, and whether there may be more."""
        await self._link.ping()
        count = await self._link.broker.discard_dead_letters(queue.name, choice)
        return count, count >= MOST_AT_ONCE

    async def replay(self, queue: FleetQueue, choice: DeadLetterChoice) -> Replayed:
        """Put some back on their queue, but for those whose job has its end.

        A job that was given up has failed and its caller knows; to run its message again would call a
        provider for a result that nobody gets. Retrying the job makes a new attempt of it instead.

        Raises:
            BrokerUnavailableError: The broker is away; what was put back before stays so.
            DatabaseUnavailableError: It cannot be said which jobs have ended; the same.
        """
        await self._link.ping()
        begun_at = datetime.now(UTC)  # one that dies again meanwhile is not meant
        choice = replace(choice, died_before=min(choice.died_before or begun_at, begun_at))
        done = Replayed()
        while done.count + len(done.staying) < MOST_AT_ONCE:
            offset = len(done.staying)
            page = await self._link.broker.dead_letters(queue.name, choice, limit=_PAGE, offset=offset)
            if not page:
                return done
            staying = await self._staying(queue, page)
            ids = {letter.id for letter in page} - {letter.id for letter in staying}
            put_back = await self._link.broker.replay_dead_letters(queue.name, DeadLetterChoice.of(ids))
            done.count += put_back
            done.staying += staying
            if put_back < len(ids):  # somebody else has the others in hand
                return done
        done.more = True
        return done

    async def _staying(self, queue: FleetQueue, letters: Sequence[DeadLetter]) -> list[StayingLetter]:
        """Say which are not to be put back."""
        if queue.topic is None:
            return []
        requests = {letter.id: request for letter in letters if (request := _request(letter)) is not None}
        statuses = await self._statuses([request.job_id for request in requests.values()])
        staying = []
        for identifier, request in requests.items():
            status = statuses.get(request.job_id)
            why = _why_not(request, status)
            if why:
                staying.append(StayingLetter(id=identifier, job_id=request.job_id, status=status, why=why))
        return staying

    async def _statuses(self, job_ids: Sequence[UUID]) -> dict[UUID, JobStatus]:
        if not job_ids:
            return {}
        async with database_patience(), self._database.connection() as connection:
            rows = await connection.fetch(_STATUSES, job_ids, min(job_ids), max(job_ids))
        return {row["id"]: JobStatus(row["status"]) for row in rows}


def _request(letter: DeadLetter) -> JobRequested | None:
    """Read a job's message; None for one that this version cannot read, but perhaps the next."""
    try:
        return JobRequested.decode(letter.message.body)
    except MalformedMessageError:
        return None


def _why_not(request: JobRequested, status: JobStatus | None) -> str:
    if not request.background:
        return "its caller has gone"
    if status is None:
        return "its job is not kept any more"
    return f"its job is {status}; retry the job instead" if status.final else ""
