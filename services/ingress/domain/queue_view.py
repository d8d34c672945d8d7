"""What an operator sees of a queue: the broker's count, the workers' word, and where nobody knows, why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.ingress.domain.fleet_queue import FleetQueue
from shared.contracts.operations import PublisherReport, WorkerReport, WorkerState
from shared.messaging.broker import QueueStats
from shared.messaging.traffic import WINDOW_S


@dataclass(frozen=True, slots=True)
class FleetReports:
    """What the processes of the fleet said when they were asked."""

    workers: Sequence[WorkerReport] = ()
    publishers: Sequence[PublisherReport] = ()


@dataclass(slots=True, kw_only=True)
class QueueView:
    """One queue at one moment."""

    queue: FleetQueue
    stats: QueueStats
    draining: bool
    in_flight: int | None = None
    oldest_age_s: float | None = None
    in_per_s: float | None = None
    out_per_s: float | None = None
    unknown: dict[str, str] = field(default_factory=dict)
    """Why a figure is None."""

    @property
    def state(self) -> str:
        """Say in a word what the operator has made of it."""
        if self.stats.paused:
            return "paused"
        if not self.draining:
            return "running"
        return "draining" if self.stats.ready or self.in_flight != 0 else "drained"

    def render(self) -> dict[str, Any]:
        """Spell it for the management API."""
        queue, stats = self.queue, self.stats
        return {
            "name": queue.name,
            "operation": queue.operation,
            "lane": queue.lane,
            "state": self.state,
            "paused": stats.paused,
            "draining": self.draining,
            "depth": stats.ready,
            "in_flight": self.in_flight,
            "consumers": stats.consumers,
            "rate": {
                "in_per_s": _rounded(self.in_per_s),
                "out_per_s": _rounded(self.out_per_s),
                "window_s": WINDOW_S,
            },
            "oldest_age_s": _rounded(self.oldest_age_s),
            "dead_letters": stats.dead,
            "unknown": self.unknown,
        }


def view_of(
    queue: FleetQueue,
    stats: QueueStats,
    reports: FleetReports,
    *,
    draining: bool,
    job_ages: Mapping[str, float] | None,
) -> QueueView:
    """Put together what is known of a queue.

    Args:
        queue: Which.
        stats: The broker's look at it, without the age where that would leave a trace.
        reports: Of workers and ingresses.
        draining: Whether it takes no new work.
        job_ages: Seconds that the oldest background job of each queue has waited; None: nobody says.
    """
    view = QueueView(queue=queue, stats=stats, draining=draining)
    _tell_in_flight(view, reports.workers)
    _tell_age(view, job_ages)
    _tell_rates(view, reports)
    return view


def _tell_in_flight(view: QueueView, workers: Sequence[WorkerReport]) -> None:
    name, stats = view.queue.name, view.stats
    if stats.in_flight is not None:
        view.in_flight = stats.in_flight
        return
    if view.queue.topic is None:
        view.unknown["in_flight"] = "the broker does not tell, and this queue's consumers do not report"
        return
    shares = [(worker.state, worker.queues[name]) for worker in workers if name in worker.queues]
    # RabbitMQ counts one that takes nothing more until it has settled what it holds.
    taking = sum(state is WorkerState.TAKING or share.held > 0 for state, share in shares)
    if taking < stats.consumers:
        view.unknown["in_flight"] = (
            f"the broker does not tell, and {stats.consumers - taking} of {stats.consumers} consumers "
            "did not report in time"
        )
        return
    view.in_flight = sum(share.held for _, share in shares)


def _tell_age(view: QueueView, job_ages: Mapping[str, float] | None) -> None:
    stats = view.stats
    if stats.oldest_age_s is not None or not stats.ready:
        view.oldest_age_s = stats.oldest_age_s
        return
    if view.queue.topic is None:
        view.unknown["oldest_age_s"] = "the broker tells it only by a look that counts as an attempt"
    elif job_ages is None:
        view.unknown["oldest_age_s"] = "PostgreSQL, which knows the ages of background jobs, does not answer"
    elif view.queue.name not in job_ages:
        view.unknown["oldest_age_s"] = "only background jobs have a known age here, and none of them waits"
    else:
        view.oldest_age_s = job_ages[view.queue.name]


def _tell_rates(view: QueueView, reports: FleetReports) -> None:
    topic = view.queue.topic
    if topic is None:
        view.unknown["rate"] = "counted for queues of jobs only"
        return
    view.in_per_s = sum(report.published_per_s.get(topic, 0.0) for report in reports.publishers)
    shares = [
        worker.queues[view.queue.name] for worker in reports.workers if view.queue.name in worker.queues
    ]
    view.out_per_s = sum(share.handled_per_s for share in shares)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
