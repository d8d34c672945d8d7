"""Asking the processes of the fleet how they are, and telling a worker what to do."""

import asyncio
from collections.abc import AsyncIterator

import structlog

from services.ingress.adapters.background import Background
from services.ingress.adapters.broker_link import BrokerLink
from services.ingress.domain.queue_view import FleetReports
from shared.contracts.base import Contract
from shared.contracts.ids import new_id
from shared.contracts.operations import (
    FleetAsked,
    PublisherReport,
    WorkerCommand,
    WorkerCommanded,
    WorkerReport,
)
from shared.errors import MalformedMessageError, NotFoundError
from shared.messaging.broker import Message

_log = structlog.get_logger()

PATIENCE_S = 0.5
"""How long everybody has to answer: nobody knows how many there are."""
COMMAND_PATIENCE_S = 3.0
"""How long the one that was told something has to do it and say so."""


class FleetInquiry:
    """Asks by broadcast; whoever lives replies to this process's inbox.

    Args:
        link: The broker.
        background: Runs this process's own reply.
        name: This process's name.
    """

    def __init__(self, link: BrokerLink, background: Background, *, name: str) -> None:
        self._link = link
        self._background = background
        self._name = name
        link.hear(self._heard)

    async def reports(self) -> FleetReports:
        """Return what workers and ingresses say within half a second; who is silent is not in it.

        Raises:
            BrokerUnavailableError: Nobody could be asked.
        """
        workers: dict[str, WorkerReport] = {}
        publishers: dict[str, PublisherReport] = {}
        async for message in self._ask(FleetAsked(), PATIENCE_S):
            if message.type == WorkerReport.message_type:
                report = WorkerReport.decode(message.body)
                workers[report.name] = report
            elif message.type == PublisherReport.message_type:
                ingress = PublisherReport.decode(message.body)
                publishers[ingress.name] = ingress
        return FleetReports([workers[name] for name in sorted(workers)], list(publishers.values()))

    async def command(self, worker: str, command: WorkerCommand) -> WorkerReport:
        """Have a worker do something; returns its report after that.

        Raises:
            NotFoundError: No worker of that name answers.
            BrokerUnavailableError: It could not be told.
        """
        told = WorkerCommanded(worker=worker, command=command)
        async for message in self._ask(told, COMMAND_PATIENCE_S):
            if message.type == WorkerReport.message_type:
                return WorkerReport.decode(message.body)
        raise NotFoundError(f"No worker called {worker[:80]!r} has answered within {COMMAND_PATIENCE_S:g} s.")

    async def _ask(self, question: Contract, patience_s: float) -> AsyncIterator[Message]:
        identifier = new_id()
        address, replies = self._link.expect(identifier)
        clock = asyncio.get_running_loop().time
        with replies:
            await self._link.broadcast(question, reply_to=address, correlation_id=str(identifier))
            until = clock() + patience_s
            while True:
                try:
                    yield await replies.next(until - clock())
                except TimeoutError:
                    return
                except MalformedMessageError as error:  # of a process of another version
                    _log.warning("report not readable", reason=error.message)

    def _heard(self, message: Message) -> None:
        if message.type == FleetAsked.message_type and message.reply_to is not None:
            self._background.run(
                self._reply(message.reply_to, message.correlation_id), what="report to an operator"
            )

    async def _reply(self, address: str, correlation_id: str | None) -> None:
        report = PublisherReport(name=self._name, published_per_s=self._link.traffic.rates())
        await self._link.broker.reply(
            address,
            Message(type=report.message_type, body=report.encode(), correlation_id=correlation_id),
        )
