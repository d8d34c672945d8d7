"""What a run measured."""

from dataclasses import dataclass


def percentile(ordered: list[float], share: float) -> float:
    """Return the value below which ``share`` of an ordered list lies; 0 for an empty one."""
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0


@dataclass(frozen=True)
class Figures:
    """Answers as expected, over the time from the first request to the last answer."""

    connections: int
    seconds: float
    latencies_ms: list[float]
    """In ascending order."""

    @property
    def requests(self) -> int:
        return len(self.latencies_ms)

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds

    def percentile_ms(self, share: float) -> float:
        return percentile(self.latencies_ms, share)
