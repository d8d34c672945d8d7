"""An operator's hand on this worker: what it is asked and told by broadcast."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

import structlog

from services.provider_worker.adapters.announcer import message_of
from services.provider_worker.consumers.activity import Activity
from shared import __version__
from shared.contracts.operations import (
    FleetAsked,
    WorkerCommand,
    WorkerCommanded,
    WorkerQueue,
    WorkerReport,
    WorkerState,
)
from shared.errors import MalformedMessageError, PenstockError
from shared.messaging.broker import Broker, Message
from shared.messaging.consumer import Consumer

_log = structlog.get_logger(__name__)


class WorkerControl:
    """Reports, rests and goes on.

    A worker that was told to drain stays alive and drained until it is told to resume: one that ended
    would be started again by whoever supervises it, and the new one would take jobs.

    Args:
        broker: Where to reply.
        consumer: Takes the jobs.
        activity: Knows which run.
        queues: What the consumer takes from.
        tasks: Holds the replies under way.
        name: This process's name.
        concurrency: Most jobs at a time.
    """

    def __init__(
        self,
        broker: Broker,
        consumer: Consumer,
        activity: Activity,
        *,
        queues: Sequence[str],
        tasks: asyncio.TaskGroup,
        name: str,
        concurrency: int,
    ) -> None:
        self._broker = broker
        self._consumer = consumer
        self._activity = activity
        self._queues = tuple(queues)
        self._tasks = tasks
        self._name = name
        self._concurrency = concurrency
        self._started_at = datetime.now(UTC)
        self._resting = False
        self._stopped = False
        self._changing = asyncio.Lock()

    def heard(self, message: Message) -> None:
        """Take a broadcast; must not raise."""
        if self._stopped:
            return
        if message.type == FleetAsked.message_type:
            self._tasks.create_task(self._reply(message))
        elif message.type == WorkerCommanded.message_type:
            try:
                told = WorkerCommanded.decode(message.body)
            except MalformedMessageError as error:
                _log.warning("malformed broadcast", reason=error.message)
                return
            if told.worker == self._name:
                self._tasks.create_task(self._obey(told.command, message))

    async def stop(self) -> None:
        """Obey nobody any more: the worker is about to end."""
        self._stopped = True
        async with self._changing:
            return

    async def _obey(self, command: WorkerCommand, message: Message) -> None:
        async with self._changing:
            wanted = command is WorkerCommand.DRAIN
            if self._stopped:
                return
            if wanted != self._resting:
                await (self._consumer.rest() if wanted else self._consumer.go_on())
                self._resting = wanted
                _log.info("worker drains" if wanted else "worker resumes")
        await self._reply(message)

    async def _reply(self, question: Message) -> None:
        if question.reply_to is None:
            return
        answer = message_of(self._report(), correlation_id=question.correlation_id)
        try:
            await self._broker.reply(question.reply_to, answer)
        except PenstockError as error:
            _log.warning("report not sent", reason=error.message)

    def _report(self) -> WorkerReport:
        held = Counter(delivery.queue for delivery in self._consumer.held())
        handled = self._activity.handled_per_s()
        return WorkerReport(
            name=self._name,
            version=__version__,
            started_at=self._started_at,
            state=self._state(held.total()),
            concurrency=self._concurrency,
            queues={
                queue: WorkerQueue(held=held[queue], handled_per_s=handled.get(queue, 0.0))
                for queue in self._queues
            },
            running=self._activity.running,
            jobs=self._activity.oldest(),
        )

    def _state(self, held: int) -> WorkerState:
        if not self._resting:
            return WorkerState.TAKING
        return WorkerState.DRAINING if held else WorkerState.DRAINED
