"""CPU and memory of the processes that share the work, by name."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import psutil


@dataclass(frozen=True)
class Processes:
    """Groups of processes; what they started counts as theirs."""

    pids: Mapping[str, tuple[int, ...]]

    def cpu_s(self) -> dict[str, float]:
        """Return the CPU seconds that each group has taken so far, of its ended children too."""
        return {name: sum(map(_cpu_s, self._of(name))) for name in self.pids}

    def memory_mb(self) -> dict[str, float]:
        """Return each group's memory, in MB of 2**20 bytes.

        What is shared by n processes counts 1/n in each (PSS).
        """
        return {name: sum(map(_memory_mb, self._of(name))) for name in self.pids}

    def _of(self, name: str) -> list[psutil.Process]:
        return tree(self.pids[name])


def tree(pids: Iterable[int]) -> list[psutil.Process]:
    """Return processes and all that they started, each once; the load's own children are the fleets."""
    roots = map(psutil.Process, pids)
    found = ([root] if root.pid == os.getpid() else [root, *root.children(recursive=True)] for root in roots)
    return list(dict.fromkeys(process for group in found for process in group))


def per_request_us(
    before: Mapping[str, float], after: Mapping[str, float], requests: int
) -> dict[str, float]:
    """Return the CPU microseconds that each group took for one request."""
    return {name: (after[name] - before[name]) / requests * 1e6 for name in before}


def _cpu_s(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:  # a child that has just ended; its parent's count has it
        return 0.0
    own: float = times.user + times.system
    return own if process.pid == os.getpid() else own + times.children_user + times.children_system


def _memory_mb(process: psutil.Process) -> float:
    try:
        return float(process.memory_full_info().pss) / 2**20
    except psutil.NoSuchProcess:
        return 0.0
