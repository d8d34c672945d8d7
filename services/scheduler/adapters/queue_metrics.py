"""Queues for Prometheus, by the leader: a scheduler that does not lead tells nothing of them."""

import time
from collections.abc import Callable, Iterable, Sequence

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from services.scheduler.domain.backlog import QueueReport

FRESH_S = 10.0
"""Figures that are older than this are not shown: another scheduler leads, or a store is down."""
_LABELS = ("queue", "operation", "lane")


def _age_s(report: QueueReport) -> float | None:
    return report.estimate.oldest_age_s or 0.0


def _work_s(report: QueueReport) -> float | None:
    if not report.estimate.waiting:
        return 0.0
    return None if report.slot_s is None else report.estimate.waiting * report.slot_s


_FIGURES: Sequence[tuple[str, str, Callable[[QueueReport], float | None]]] = (
    ("penstock_queue_depth", "Jobs that have not begun.", lambda of: of.estimate.waiting),
    ("penstock_queue_running", "Jobs in the slots of workers.", lambda of: of.estimate.running),
    ("penstock_queue_consumers", "Subscriptions of workers.", lambda of: of.estimate.consumers),
    ("penstock_queue_oldest_age_seconds", "How long the oldest job has waited.", _age_s),
    (
        "penstock_queue_wait_seconds",
        "How long the workers that there are need until a job begins that comes now.",
        lambda of: of.estimate.wait_s,
    ),
    (
        "penstock_queue_work_seconds",
        "How long one slot would need for what waits: depth times the mean time of a job in its slot.",
        _work_s,
    ),
    (
        "penstock_queue_drain_rate",
        "Jobs that the workers do in a second while jobs wait.",
        lambda of: of.estimate.per_second,
    ),
)


class QueueMetrics:
    """A collector for the registry; what is not known has no sample.

    Args:
        clock: Monotonic, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._reports: Sequence[QueueReport] = ()
        self._shown_at = -FRESH_S

    def show(self, reports: Sequence[QueueReport]) -> None:
        """Replace what is shown."""
        self._reports = reports
        self._shown_at = self._clock()

    def collect(self) -> Iterable[Metric]:
        """Answer a scrape."""
        if self._clock() - self._shown_at >= FRESH_S:
            return
        for name, text, figure in _FIGURES:
            family = GaugeMetricFamily(name, text, labels=_LABELS)
            for report in self._reports:
                value = figure(report)
                if value is not None:
                    estimate = report.estimate
                    family.add_metric((report.queue, estimate.operation, estimate.lane), value)
            yield family
