"""How long to wait before something that died is started again."""

from dataclasses import dataclass


@dataclass(slots=True)
class Backoff:
    """Doubles with every failure in a row; who lived long enough starts from the beginning."""

    initial_s: float = 0.25
    limit_s: float = 15.0
    healthy_after_s: float = 5.0
    """Above the time that a start takes, so that only who cannot start waits long."""
    failures: int = 0

    def after(self, lived_s: float) -> float:
        """Return the seconds to wait after a life of ``lived_s`` seconds."""
        if lived_s >= self.healthy_after_s:
            self.failures = 0
        delay_s = min(self.limit_s, self.initial_s * 2.0 ** min(self.failures, 30))
        self.failures += 1
        return delay_s
