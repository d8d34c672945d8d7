"""The backlog as the scheduler's leader estimates it, heard and kept in memory: no look-up anywhere."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

import structlog

from services.ingress.domain.admission import Admission
from services.ingress.domain.job import Job
from services.ingress.domain.place import Place
from services.ingress.domain.places import Places
from shared.contracts.backlog import BacklogEstimated
from shared.contracts.jobs import Lane, Operation
from shared.errors import MalformedMessageError
from shared.messaging.broker import Message

_log = structlog.get_logger(__name__)


class Backlog:
    """Hears estimates; lets jobs in by them, and tells jobs their place.

    Args:
        admission: The gates.
        places: The positions.
        clock: Monotonic, in seconds.
        wall_clock: Unix time.
    """

    def __init__(
        self,
        admission: Admission,
        places: Places,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._admission = admission
        self._places = places
        self._clock = clock
        self._wall_clock = wall_clock

    def heard(self, message: Message) -> None:
        """Take a broadcast; must not raise."""
        if message.type != BacklogEstimated.message_type:
            return
        try:
            estimated = BacklogEstimated.decode(message.body)
        except MalformedMessageError as error:
            _log.warning("malformed broadcast", reason=error.message)
            return
        self._admission.hear(estimated, self._clock())
        self._places.hear(estimated, self._wall_clock())

    def admit(self, operation: Operation, lane: Lane, deadline_at: datetime, *, jobs: int = 1) -> None:
        """Let jobs in.

        Raises:
            QueueFullError: Too much waits; its ``retry_after_s`` says when that will have changed.
        """
        patience_s = (deadline_at - datetime.now(UTC)).total_seconds()
        self._admission.admit(operation, lane, now=self._clock(), patience_s=patience_s, jobs=jobs)

    def place_of(self, job: Job) -> Place | None:
        """Say where a job stands; None when it does not wait, or nobody knows."""
        return self._places.of(job, self._wall_clock())
