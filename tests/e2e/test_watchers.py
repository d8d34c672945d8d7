"""Callers who wait, many at a time, each hear of their job's end; ``make watchers`` has very many."""

import pytest

from tests.benchmarks.watchers.measure import watch
from tests.benchmarks.watchers.waiting import KINDS
from tests.support.fleet import Fleet

pytestmark = pytest.mark.e2e

COUNT = 150


@pytest.mark.parametrize("kind", KINDS)
def test_each_of_many_who_wait_hears_of_the_end_of_its_job(fleet: Fleet, kind: str) -> None:
    found = watch(fleet, kind, count=COUNT, seconds=0)
    assert (found.waiting, found.ends) == (COUNT, {"cancelled": COUNT})
