"""The map of the fleet: every queue, who fills it, who empties it. Declared here and nowhere else.

A topic is what a publisher names; queues are bound to topic patterns with AMQP's rules (``*`` is one
word, ``#`` is any number). Queue arguments are frozen: to change one, raise the version in the name.

    ingress, scheduler --jobs.<operation>.<lane>--> provider_worker
    provider_worker, ingress --results.*----------> results
    scheduler --provider.batches------------------> a provider_worker, which replies
    anyone ----------------------(broadcast)------> everyone
    provider_worker -------------(reply)----------> the ingress that waits
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from shared.contracts.jobs import Lane, Operation


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """A durable queue and the topics that reach it."""

    name: str
    bindings: tuple[str, ...]
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    max_deliveries: int = 5
    """After so many deliveries that were not acknowledged, a consumer dead-letters the message."""


@dataclass(frozen=True)
class Topology:
    """A set of queues; tests build small ones of their own."""

    queues: tuple[Queue, ...]

    @cached_property
    def by_name(self) -> dict[str, Queue]:
        """Queues by their name."""
        return {queue.name: queue for queue in self.queues}

    def routes(self, topic: str) -> Sequence[str]:
        """Name the queues that a topic reaches; none means that it is unroutable."""
        words = topic.split(".")
        return [
            queue.name
            for queue in self.queues
            if any(_matches(pattern.split("."), words) for pattern in queue.bindings)
        ]


def _matches(pattern: Sequence[str], words: Sequence[str]) -> bool:
    if not pattern:
        return not words
    head, rest = pattern[0], pattern[1:]
    if head == "#":
        return any(_matches(rest, words[skip:]) for skip in range(len(words) + 1))
    return bool(words) and head in ("*", words[0]) and _matches(rest, words[1:])


def job_topic(operation: Operation, lane: Lane) -> str:
    """Topic of a job that waits for a provider call."""
    return f"jobs.{operation}.{lane}"


def job_queue(operation: Operation, lane: Lane) -> str:
    """Queue of the jobs of one operation and lane."""
    return f"jobs.{operation}.{lane}.v1"


RESULTS_STARTED = "results.started"
RESULTS_HELD = "results.held"
RESULTS_DELTA = "results.delta"
RESULTS_DEFERRED = "results.deferred"
RESULTS_FINISHED = "results.finished"
RESULTS_QUEUE = "results.v1"

PROVIDER_BATCHES = "provider.batches"
PROVIDER_BATCHES_QUEUE = "provider.batches.v1"


def _job_queues() -> Iterator[Queue]:
    for operation in Operation:
        for lane in Lane:
            yield Queue(
                name=job_queue(operation, lane),
                bindings=(job_topic(operation, lane),),
                producers=("ingress", "scheduler"),
                consumers=("provider_worker",),
            )


FLEET = Topology(
    queues=(
        *_job_queues(),
        Queue(
            name=RESULTS_QUEUE,
            bindings=("results.#",),
            producers=("provider_worker", "ingress"),
            consumers=("results",),
            max_deliveries=20,
        ),
        Queue(
            name=PROVIDER_BATCHES_QUEUE,
            bindings=(PROVIDER_BATCHES,),
            producers=("scheduler",),
            consumers=("provider_worker",),
        ),
    )
)
