"""Buffers of several queues that are emptied in proportion to their weights, each by deadline."""

from collections.abc import Container, Iterator, Mapping

from shared.messaging.broker import Delivery
from shared.messaging.by_deadline import ByDeadline

_STRIDE = 1 << 20
"""Length of a step at weight 1; a power of two far above any weight keeps integer division exact enough."""


class _Buffer:
    __slots__ = ("deliveries", "position", "queue", "stride")

    def __init__(self, queue: str, weight: int) -> None:
        self.queue = queue
        self.deliveries = ByDeadline()
        self.stride = _STRIDE // weight
        self.position = 0


class WeightedBuffers:
    """Stride scheduling over the buffers that are not empty: deterministic, and none is starved.

    Every buffer walks along one line, in steps of 1/weight; the one that is furthest behind is next. A
    buffer that was empty joins where the others are now, so that idleness earns no claim on the future.
    Within a buffer the order is that of ``ByDeadline``.

    Source: Waldspurger and Weihl, "Stride Scheduling", MIT/LCS/TM-528, 1995.
    """

    def __init__(self, weights: Mapping[str, int]) -> None:
        if any(weight < 1 or weight > _STRIDE for weight in weights.values()):
            raise ValueError(f"weights must be between 1 and {_STRIDE}, got {dict(weights)}")
        # Equal positions go to the heavier one: a caller who waits is not behind a batch by a tie.
        heaviest_first = sorted(weights.items(), key=lambda item: -item[1])
        self._buffers = {queue: _Buffer(queue, weight) for queue, weight in heaviest_first}
        self._line = tuple(self._buffers.values())
        self._now = 0

    def __iter__(self) -> Iterator[Delivery]:
        for buffer in self._line:
            yield from buffer.deliveries

    def of(self, queue: str) -> ByDeadline:
        """Return the buffer of a queue, to look into."""
        return self._buffers[queue].deliveries

    def add(self, queue: str, delivery: Delivery) -> None:
        """Put into the buffer of a queue."""
        buffer = self._buffers[queue]
        if not buffer.deliveries and buffer.position < self._now:
            buffer.position = self._now
        buffer.deliveries.add(delivery)

    def take(self, *, passing_over: Container[str] = ()) -> Delivery | None:
        """Remove the next delivery; None when every buffer is empty.

        Args:
            passing_over: Queues that may not be taken from now; that they had to wait earns them no claim
                on the future either.
        """
        best: _Buffer | None = None
        passed_over: list[_Buffer] = []
        for buffer in self._line:
            if not buffer.deliveries:
                continue
            if buffer.queue in passing_over:
                passed_over.append(buffer)
            elif best is None or buffer.position < best.position:
                best = buffer
        if best is None:
            return None
        self._now = best.position
        for buffer in passed_over:
            buffer.position = max(buffer.position, self._now)
        best.position += best.stride
        return best.deliveries.take()

    def clear(self) -> list[Delivery]:
        """Remove and return everything."""
        return [delivery for buffer in self._line for delivery in buffer.deliveries.clear()]
