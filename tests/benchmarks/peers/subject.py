"""A gateway under comparison."""

from dataclasses import dataclass

from tests.benchmarks.load.target import Target


@dataclass(frozen=True)
class Subject:
    """A running gateway."""

    name: str
    target: Target
    """A chat request through it to the shared simulator."""
    pids: tuple[int, ...]
    """Roots of its process trees; whoever watches over the others comes first."""
