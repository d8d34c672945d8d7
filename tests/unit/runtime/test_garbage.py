"""Searches for cycles: rarer, and not through what lives as long as the process."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from shared.runtime.garbage import THRESHOLD, spare_long_lived_objects


class Node:
    def __init__(self) -> None:
        self.self = self


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


def test_what_is_there_already_is_left_out_of_every_later_search():
    lasting = Node()
    spare_long_lived_objects()
    assert gc.get_freeze_count() > 0
    assert not any(found is lasting for found in gc.get_objects())


def test_cycles_that_are_left_behind_later_are_still_found():
    spare_long_lived_objects()
    forgotten = weakref.ref(Node())
    kept = [[] for _ in range(THRESHOLD + 1)]
    assert forgotten() is None
    assert kept
