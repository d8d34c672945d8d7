"""Which dead letters an operator means."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterChoice:
    """Those that have everything that is said here; with nothing said, every one."""

    ids: frozenset[str] | None = None
    reason: str | None = None
    """A part of the reason, upper and lower case alike."""
    died_before: datetime | None = None

    @classmethod
    def of(cls, ids: Iterable[str]) -> Self:
        """Choose by ids; those that do not exist, or no longer, mean nothing."""
        return cls(ids=frozenset(ids))

    def takes(self, identifier: str, reason: str, died_at: datetime) -> bool:
        """Tell whether one is meant."""
        return (
            (self.ids is None or identifier in self.ids)
            and (self.reason is None or self.reason.casefold() in reason.casefold())
            and (self.died_before is None or died_at < self.died_before)
        )


EVERY_DEAD_LETTER = DeadLetterChoice()
MOST_AT_ONCE = 1000
"""Dead letters that one call replays or discards unless told otherwise; whoever means more calls again."""
