"""Interleaved rounds (A B C A B C), so that noise of the machine hits all alike."""

import asyncio
import statistics
import time
from collections import defaultdict
from dataclasses import dataclass, field

import uvloop

from tests.benchmarks.load import Figures, Target, complete, measure
from tests.benchmarks.peers.paused import continued
from tests.benchmarks.peers.subject import Subject
from tests.benchmarks.processes import Processes

CONNECTIONS = (1, 64, 256)
AWAKE_LIMIT_S = 60.0
WARM_REQUESTS = 64
WARM_S = 2.0
"""A just-in-time compiler takes some thousand requests to be done, and is in the median otherwise."""


@dataclass
class Measured:
    """What the rounds showed of one gateway at one number of connections."""

    per_second: list[float] = field(default_factory=list)
    p50_ms: list[float] = field(default_factory=list)
    p99_ms: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    """CPU of its own processes for one request; not the simulator's, not the load's."""

    def add(self, figures: Figures, cpu_s: float) -> None:
        self.per_second.append(figures.per_second)
        self.p50_ms.append(figures.percentile_ms(0.5))
        self.p99_ms.append(figures.percentile_ms(0.99))
        self.cpu_us.append(cpu_s / figures.requests * 1e6)

    @property
    def median_per_second(self) -> float:
        return statistics.median(self.per_second)


class Rounds:
    """Measures each gateway alone, in turn."""

    def __init__(self, subjects: list[Subject], *, seconds: float) -> None:
        self._subjects = subjects
        self._seconds = seconds
        self.measured: dict[str, dict[int, Measured]] = defaultdict(lambda: defaultdict(Measured))
        self.memory_mb: dict[str, float] = {}

    def run(self, count: int) -> None:
        """Run rounds; every gateway is paused before and after."""
        for number in range(1, count + 1):
            for subject in self._subjects:
                print(f"round {number} of {count}: {subject.name}", flush=True)
                with continued(subject):
                    uvloop.run(self._measure(subject))

    async def _measure(self, subject: Subject) -> None:
        await awake(subject.target)
        await measure(subject.target, connections=64, seconds=min(WARM_S, self._seconds))
        processes = Processes({"all": subject.pids})
        for connections in CONNECTIONS:
            before = processes.cpu_s()["all"]
            figures = await measure(subject.target, connections=connections, seconds=self._seconds)
            cpu_s = processes.cpu_s()["all"] - before
            self.measured[subject.name][connections].add(figures, cpu_s)
        self.memory_mb[subject.name] = processes.memory_mb()["all"]


async def awake(target: Target) -> None:
    """Wait until a gateway that was paused answers steadily; its connections may have to be made anew."""
    ends_at = time.monotonic() + AWAKE_LIMIT_S
    while True:
        try:
            await complete(target, connections=16, requests=WARM_REQUESTS, limit_s=AWAKE_LIMIT_S)
        except (AssertionError, OSError):
            if time.monotonic() > ends_at:
                raise
            await asyncio.sleep(0.1)
        else:
            return
