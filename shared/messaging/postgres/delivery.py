"""A message that this process holds, until it settles it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from shared.errors import LeaseLostError
from shared.messaging.broker import Message, Settlement


@dataclass(eq=False, slots=True, kw_only=True)
class PostgresDelivery:
    """Implements the port's ``Delivery``; ``read_ct`` is the proof of holding it."""

    message: Message
    queue: str
    table: str
    msg_id: int
    read_ct: int
    published_at: datetime
    on_settle: "Callable[[PostgresDelivery, Settlement, str], Awaitable[None]]"
    settled: bool = False
    lost: bool = False
    """Set when its lease could not be renewed because a later reader has it."""

    @property
    def attempt(self) -> int:
        """Which delivery this is; a release lowers PGMQ's counter again."""
        return self.read_ct

    @property
    def redelivered(self) -> bool:
        """Whether an earlier consumer had it."""
        return self.read_ct > 1

    async def settle(self, settlement: Settlement, *, reason: str = "") -> None:
        """Decide its fate, once; see the port."""
        if self.settled:
            raise LeaseLostError("the delivery was settled before")
        self.settled = True
        await self.on_settle(self, settlement, reason)
