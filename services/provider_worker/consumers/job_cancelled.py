"""Broadcasts that a job is cancelled."""

import structlog

from services.provider_worker.consumers.running import RunningJobs
from shared.contracts.jobs import JobCancelRequested, JobsCancelRequested
from shared.errors import MalformedMessageError
from shared.messaging.broker import Message

_log = structlog.get_logger(__name__)


class CancelJob:
    """Stops jobs that run here; every other broadcast is ignored."""

    def __init__(self, running: RunningJobs) -> None:
        self._running = running

    def __call__(self, message: Message) -> None:
        """Take a broadcast; must not raise."""
        try:
            if message.type == JobCancelRequested.message_type:
                request = JobCancelRequested.decode(message.body)
                self._running.cancel(request.job_id, request.attempt)
            elif message.type == JobsCancelRequested.message_type:
                for job_id, attempt in JobsCancelRequested.decode(message.body).attempts.items():
                    self._running.cancel(job_id, attempt)
        except MalformedMessageError as error:
            _log.warning("malformed broadcast", reason=error.message)
