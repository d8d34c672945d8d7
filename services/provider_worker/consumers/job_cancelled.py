"""Broadcasts that a job is cancelled."""

import structlog

from services.provider_worker.consumers.running import RunningJobs
from shared.contracts.jobs import JobCancelRequested
from shared.errors import MalformedMessageError
from shared.messaging.broker import Message

_log = structlog.get_logger(__name__)


class CancelJob:
    """Stops a job that runs here; every other broadcast is ignored."""

    def __init__(self, running: RunningJobs) -> None:
        self._running = running

    def __call__(self, message: Message) -> None:
        """Take a broadcast; must not raise."""
        if message.type != JobCancelRequested.message_type:
            return
        try:
            request = JobCancelRequested.decode(message.body)
        except MalformedMessageError as error:
            _log.warning("malformed broadcast", reason=error.message)
            return
        self._running.cancel(request.job_id)
