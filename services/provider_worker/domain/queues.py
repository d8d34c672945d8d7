"""Which queues a worker takes, and in what proportion."""

from collections.abc import Sequence
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
