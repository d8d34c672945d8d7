"""Only one gateway runs at a time: the others are stopped by signal (SIGSTOP) and take no CPU."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from tests.benchmarks.peers.subject import Subject
from tests.benchmarks.processes import tree


def pause(subject: Subject) -> None:
    """Stop its processes; the one that watches over the others first."""
    for process in tree(subject.pids):
        process.send_signal(signal.SIGSTOP)


@contextmanager
def continued(subject: Subject) -> Iterator[None]:
    """Let it run while the block lasts; the one that watches over the others comes last."""
    for process in reversed(tree(subject.pids)):
        process.send_signal(signal.SIGCONT)
    try:
        yield
    finally:
        pause(subject)


def resume(subjects: list[Subject]) -> None:
    """Let all run again, so that they can end in order."""
    for subject in subjects:
        for process in reversed(tree(subject.pids)):
            process.send_signal(signal.SIGCONT)
