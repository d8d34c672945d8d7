"""Jobs that were delivered too often: whoever had them died of them, or of something beside them."""

from services.provider_worker.consumers.conclusion import Conclusion
from services.provider_worker.consumers.job import Job
from services.provider_worker.domain.outcome import failed
from shared.contracts.jobs import JobRequested
from shared.errors import MalformedMessageError, PenstockError
from shared.messaging.broker import Delivery


class WorkerCrashedError(PenstockError):
    """Every worker that had the job died or had to hand it back."""

    code = "worker_crashed"


class GiveUp:
    """Tells the caller and the record, before the delivery is kept as a dead letter."""

    def __init__(self, conclusion: Conclusion) -> None:
        self._conclusion = conclusion

    async def __call__(self, delivery: Delivery, reason: str) -> None:
        """End a job without a call."""
        try:
            request = JobRequested.decode(delivery.message.body)
        except MalformedMessageError:
            return
        error = WorkerCrashedError(f"The job was {reason}: every worker that had it stopped before its end.")
        await self._conclusion.end(Job(request, delivery), failed(error))
