"""The limit of open files, with which a process is started."""

import resource
from collections.abc import Iterator

import pytest

from shared.runtime.open_files import MOST, allow_many_connections


@pytest.fixture(autouse=True)
def hard() -> Iterator[int]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_low_limit_is_raised_as_far_as_it_may(hard: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    allow_many_connections()
    soft, still = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert soft == (MOST if hard == resource.RLIM_INFINITY else min(hard, MOST))
    assert still == hard


def test_a_high_limit_stays_as_it_is(hard: int) -> None:
    allow_many_connections()
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    allow_many_connections()
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == before
