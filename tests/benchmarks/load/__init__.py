"""A lean HTTP load generator: prepared requests, keep-alive connections, no more parsing than it takes.

It shares the machine with what it measures. Run it on uvloop (`uvloop.run`), which halves its CPU.
"""

from tests.benchmarks.load.closed_loop import complete, measure
from tests.benchmarks.load.figures import Figures
from tests.benchmarks.load.open_loop import offer
from tests.benchmarks.load.target import Target

__all__ = ["Figures", "Target", "complete", "measure", "offer"]
