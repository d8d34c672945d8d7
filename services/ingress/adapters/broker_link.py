"""The connection to the broker, which may come up after the HTTP server and go away at any time."""

from collections.abc import Sequence
from typing import Self
from uuid import UUID

from services.ingress.adapters.job_watch import JobWatch
from shared.contracts.base import Contract
from shared.contracts.jobs import JobsChanged
from shared.errors import BrokerUnavailableError, MalformedMessageError
from shared.messaging.broker import Broker, Message, OnMessage
from shared.messaging.requests import Replies, Requester
from shared.messaging.traffic import Traffic


class BrokerLink:
    """Connects in the background; until then every use is an honest error at once.

    Args:
        broker: Not connected yet.
        watch: Hears of changes of jobs.
        hearers: Get every broadcast.
    """

    def __init__(self, broker: Broker, watch: JobWatch, hearers: Sequence[OnMessage] = ()) -> None:
        self.broker = broker
        self._watch = watch
        self._hearers = (self._heard, *hearers)
        self._requester: Requester | None = None
        self._listeners: list[OnMessage] = []
        self.traffic = Traffic()
        """What this process has published lately, by topic."""

    def hear(self, on_message: OnMessage) -> None:
        """Have every broadcast from now on; must not block and must not raise."""
        self._listeners.append(on_message)

    async def __aenter__(self) -> Self:
        """Begin without connecting; :meth:`connect` does that."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Fail who still waits, and disconnect."""
        await self.stop_waiting()
        await self.broker.close()

    async def connect(self) -> None:
        """Connect, listen for changes of jobs, open the inbox; returns when all of it stands."""
        await self.broker.connect()
        for hearer in self._hearers:
            await self.broker.listen(hearer)
        requester = Requester(self.broker)
        await requester.__aenter__()
        self._requester = requester

    async def stop_waiting(self) -> None:
        """Fail every request that still waits for a reply."""
        requester, self._requester = self._requester, None
        if requester is not None:
            await requester.__aexit__(None, None, None)

    async def ping(self) -> None:
        """Raise BrokerUnavailableError unless the broker answers and replies can arrive."""
        self._connected()
        await self.broker.ping()

    def expect(self, job_id: UUID) -> tuple[str, Replies]:
        """Prepare for the replies to a job; returns the address to reply to.

        Raises:
            BrokerUnavailableError: Not connected yet.
        """
        requester = self._connected()
        return requester.address, requester.expect(str(job_id))

    async def publish(self, topic: str, message: Message) -> None:
        """Publish as the port does, but fail at once before the first connection."""
        self._connected()
        await self.broker.publish(topic, message)
        self.traffic.count(topic)

    async def broadcast(
        self, contract: Contract, *, reply_to: str | None = None, correlation_id: str | None = None
    ) -> None:
        """Tell every process; with an address whoever has an answer sends it there."""
        self._connected()
        await self.broker.broadcast(
            Message(
                type=contract.message_type,
                body=contract.encode(),
                reply_to=reply_to,
                correlation_id=correlation_id,
            )
        )

    def _connected(self) -> Requester:
        if self._requester is None:
            raise BrokerUnavailableError("The broker is not connected.")
        return self._requester

    def _heard(self, message: Message) -> None:
        for listener in self._listeners:
            listener(message)
        if message.type != JobsChanged.message_type:
            return
        try:
            changed = JobsChanged.decode(message.body)
        except MalformedMessageError:
            return  # a hint only: whoever waits looks again by itself
        self._watch.changed(changed.job_ids)
