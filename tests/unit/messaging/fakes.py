"""A broker of one process without a server, as far as consumers need one."""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime

from shared.errors import LeaseLostError
from shared.messaging.broker import Message, OnDelivery, Settlement


@dataclass(eq=False)
class FakeDelivery:
    name: str
    queue: str = "work"
    attempt: int = 1
    redelivered: bool = False
    published_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    settlement: Settlement | None = None
    reason: str = ""
    lease_lost: bool = False
    lost: bool = False
    settled: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def message(self) -> Message:
        return Message(type="test.v1", body=self.name.encode())

    async def settle(self, settlement: Settlement, *, reason: str = "") -> None:
        assert self.settlement is None, f"{self.name} settled twice"
        self.settlement, self.reason = settlement, reason
        self.settled.set()
        if self.lease_lost:
            raise LeaseLostError("somebody else has it")


class FakeSubscription:
    """Hands out at most ``prefetch`` unsettled deliveries, as a broker does."""

    def __init__(self, prefetch: int, on_delivery: OnDelivery) -> None:
        self.prefetch = prefetch
        self.on_delivery = on_delivery
        self.backlog: deque[FakeDelivery] = deque()
        self.out: list[FakeDelivery] = []
        self.stopped = False
        self.resting = False

    def put(self, *deliveries: FakeDelivery) -> None:
        self.backlog.extend(deliveries)
        self.pump()

    def pump(self) -> None:
        self.out = [delivery for delivery in self.out if delivery.settlement is None]
        while self.backlog and not (self.stopped or self.resting) and len(self.out) < self.prefetch:
            self.out.append(self.backlog.popleft())
            self.on_delivery(self.out[-1])

    async def stop(self) -> None:
        self.stopped = True

    async def rest(self) -> None:
        self.resting = True

    async def go_on(self) -> None:
        self.resting = False
        self.pump()


class FakeBroker:
    def __init__(self) -> None:
        self.subscriptions: dict[str, FakeSubscription] = {}

    async def subscribe(self, queue: str, *, prefetch: int, on_delivery: OnDelivery) -> FakeSubscription:
        self.subscriptions[queue] = FakeSubscription(prefetch, on_delivery)
        return self.subscriptions[queue]
