"""A bound on the memory that large request bodies take together."""

from types import TracebackType
from typing import Self

from shared.errors import DependencyUnavailableError


class MemoryBudget:
    """Bytes that requests under way may hold.

    Args:
        max_bytes: All of them together.
    """

    def __init__(self, max_bytes: int) -> None:
        self._left = max_bytes

    def share(self) -> "MemoryShare":
        """Begin with nothing; what is taken is given back when the block is left."""
        return MemoryShare(self)

    def take(self, size: int) -> None:
        """Take some, now.

        Raises:
            DependencyUnavailableError: There is not so much left.
        """
        if size > self._left:
            raise DependencyUnavailableError("Too many large requests are being received.")
        self._left -= size

    def give_back(self, size: int) -> None:
        """Return what was taken."""
        self._left += size


class MemoryShare:
    """What one request holds."""

    def __init__(self, budget: MemoryBudget) -> None:
        self._budget = budget
        self._held = 0

    def __enter__(self) -> Self:
        """Hold nothing yet."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give everything back."""
        self._budget.give_back(self._held)

    def take(self, size: int) -> None:
        """Hold more.

        Raises:
            DependencyUnavailableError: The budget is used up.
        """
        self._budget.take(size)
        self._held += size
