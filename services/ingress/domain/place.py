"""Where a job stands in its queue."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Place:
    """What a caller is told; see ``docs/api.md`` for how accurate it is."""

    position: int
    """1 is next."""
    wait_s: float | None
    """None while nobody knows how fast the queue empties."""

    def render(self) -> dict[str, Any]:
        """Spell it."""
        wait_s = None if self.wait_s is None else round(self.wait_s, 1)
        return {"position": self.position, "estimated_wait_s": wait_s}
