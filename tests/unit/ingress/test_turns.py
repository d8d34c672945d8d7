"""Many readers and few connections: all are served, and an outage is no queue."""

import asyncio

import pytest

from services.ingress.adapters.turns import READS_AT_ONCE, Turns
from shared.errors import DatabaseUnavailableError


async def test_all_are_served_and_only_a_few_at_once() -> None:
    turns, under_way, most = Turns(), 0, 0

    async def read() -> int:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        return under_way

    await asyncio.gather(*(turns.read(read) for _ in range(100)))
    assert most == READS_AT_ONCE


async def test_those_who_queue_behind_an_outage_hear_of_it_with_the_first_and_later_ones_try_again() -> None:
    turns, tries = Turns(), 0

    async def fail() -> None:
        nonlocal tries
        tries += 1
        await asyncio.sleep(0)
        raise DatabaseUnavailableError("away")

    errors = await asyncio.gather(*(turns.read(fail) for _ in range(100)), return_exceptions=True)
    assert {type(error) for error in errors} == {DatabaseUnavailableError}
    assert tries == READS_AT_ONCE
    with pytest.raises(DatabaseUnavailableError):
        await turns.read(fail)
    assert tries == READS_AT_ONCE + 1
