"""Which queues a worker takes, and in what proportion."""

import math
from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase

from shared.contracts.jobs import Lane, Operation
from shared.messaging.topology import job_queue, job_topic


def select_queues(patterns: Sequence[str]) -> list[tuple[str, Lane]]:
    """Name the job queues that patterns such as ``jobs.chat.*`` mean, with their lanes.

    Patterns are over the names without their version; no pattern means every job queue.

    Raises:
        ValueError: A pattern means no queue at all.
    """
    names = {
        job_topic(operation, lane): (job_queue(operation, lane), lane)
        for operation in Operation
        for lane in Lane
    }
    chosen: dict[str, Lane] = {}
    for pattern in patterns or ("*",):
        found = [queue for name, queue in names.items() if fnmatchcase(name, pattern)]
        if not found:
            raise ValueError(f"{pattern!r} matches no queue; there are {', '.join(names)}")
        chosen.update(found)
    return list(chosen.items())


def slots_of_others(concurrency: int, lanes: Collection[Lane], *, reserve: float) -> int:
    """Say how many slots jobs of the other lanes fill at most, so that interactive ones find some free.

    At least one, and all of them where the worker takes no interactive jobs.

    Args:
        concurrency: Slots in all.
        lanes: Those that the worker takes.
        reserve: Share of the slots that is kept for interactive jobs, rounded up.
    """
    if Lane.INTERACTIVE not in lanes:
        return concurrency
    return max(1, concurrency - math.ceil(reserve * concurrency))
