"""How much memory a process takes."""

import psutil


def memory_mb(pid: int, *, with_children: bool = True) -> float:
    """Return the resident memory of a process, in MB of 2**20 bytes; 0 when it is gone.

    PostgreSQL's processes share much of theirs: where the system tells (Linux), what is shared by n
    processes counts 1/n in each.
    """
    try:
        process = psutil.Process(pid)
        children = process.children(recursive=True) if with_children else []
        return sum(map(_bytes_of, [process, *children])) / 2**20
    except psutil.NoSuchProcess:
        return 0.0


def _bytes_of(process: psutil.Process) -> int:
    try:
        proportional = getattr(process.memory_full_info(), "pss", None)
        return int(process.memory_info().rss if proportional is None else proportional)
    except psutil.AccessDenied:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0
