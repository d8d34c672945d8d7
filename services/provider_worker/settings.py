"""Settings of the provider worker, section ``worker``, e.g. ``PENSTOCK_WORKER__CONCURRENCY=256``."""

from pydantic import Field, field_validator

from services.provider_worker.domain.queues import select_queues
from shared.config.settings import Section, ServiceSettings
from shared.contracts.jobs import Lane


class LaneShare(Section):
    """How much of a worker a lane gets, for each of its queues."""

    weight: int = Field(ge=1)
    """Relative to the other lanes, when several have work."""
    prefetch: int = Field(ge=1)
    """Most jobs of one queue held at a time, running and waiting here together."""


class LaneShares(Section):
    """The three lanes: callers who wait, streams above all, get a slot each; jobs leave them the CPU."""

    interactive: LaneShare = LaneShare(weight=8, prefetch=768)
    standard: LaneShare = LaneShare(weight=4, prefetch=128)
    batch: LaneShare = LaneShare(weight=1, prefetch=128)

    def of(self, lane: Lane) -> LaneShare:
        """Return the share of a lane."""
        share: LaneShare = getattr(self, lane.value)
        return share


class WorkerSettings(Section):
    """What only this service has."""

    queues: tuple[str, ...] = ()
    """Patterns such as ``jobs.chat.*``; none means every job queue."""
    concurrency: int = Field(default=1024, ge=1)
    """Most jobs at a time, until their records are confirmed; a waiting call costs some 50 kB and no CPU."""
    interactive_reserve: float = Field(default=0.25, ge=0, lt=1)
    """Share of the slots that only interactive jobs fill, where the worker takes that lane."""
    lanes: LaneShares = LaneShares()
    delta_interval_s: float = Field(default=0.01, gt=0)
    """Shortest time between two messages of a stream that somebody waits for."""
    background_delta_interval_s: float = Field(default=0.1, gt=0)
    """The same for the stream of a background job."""
    record_interval_s: float = Field(default=0.005, gt=0)
    """Shortest time between two messages of records; those that come meanwhile share the next one."""
    held_interval_s: float = Field(default=5.0, gt=0)
    """How often the worker says which background jobs it still has."""
    load_interval_s: float = Field(default=1.0, gt=0, le=2)
    """How often the worker says how many jobs it has and has done; without news of it, it counts as gone."""
    max_answer_bytes: int = Field(default=32 * 1024 * 1024, gt=0)
    """A longer answer of a provider is refused."""

    @field_validator("queues")
    @classmethod
    def _exist(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        select_queues(patterns)
        return patterns


class ProviderWorkerSettings(ServiceSettings):
    """Everything that the worker reads."""

    worker: WorkerSettings = WorkerSettings()
