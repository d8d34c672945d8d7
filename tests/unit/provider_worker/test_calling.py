"""Calls to providers, and what is left of them."""

import gc
import weakref
from contextlib import nullcontext

from services.provider_worker.domain.calling import Attempt, Caller
from shared.config.catalog import Target
from shared.config.providers import ProviderSettings
from shared.contracts.jobs import JobStatus, Operation
from shared.errors import ProviderUnavailableError

TARGET = Target("p", "m", ProviderSettings())


class Targets(list[Target]):
    """Can be referred to weakly; an attempt cannot."""


class Down:
    """Providers and the only one of them, which answers nothing; and the meter beside it."""

    def of(self, _):
        return self

    async def complete(self, _):
        raise ProviderUnavailableError("p", "away")

    def call(self, _target, _operation):
        return nullcontext()


async def test_a_call_that_failed_leaves_its_body_to_nobody():
    caller = Caller(Down(), None, Down())

    async def run():
        targets = Targets([TARGET])
        attempt = Attempt(operation=Operation.CHAT, targets=targets, body=b"{}")
        assert (await caller.call(attempt)).status is JobStatus.FAILED
        return weakref.ref(targets)

    gc.disable()
    try:
        assert (await run())() is None
    finally:
        gc.enable()
