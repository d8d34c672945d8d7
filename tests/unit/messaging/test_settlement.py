import asyncio

import pytest

from shared.errors import (
    BrokerUnavailableError,
    DeadlineExceededError,
    InvalidRequestError,
    ProviderRateLimitedError,
)
from shared.messaging.broker import Settlement
from shared.messaging.settlement import reason_for, settlement_for


@pytest.mark.parametrize(
    ("error", "settlement"),
    [
        (None, Settlement.ACK),
        (BrokerUnavailableError("down"), Settlement.REQUEUE),
        (ProviderRateLimitedError("acme", "slow down"), Settlement.REQUEUE),
        (asyncio.CancelledError(), Settlement.REQUEUE),
        (InvalidRequestError("no"), Settlement.DEAD_LETTER),
        (DeadlineExceededError("late"), Settlement.DEAD_LETTER),
        (KeyError("x"), Settlement.DEAD_LETTER),
    ],
)
def test_the_way_a_handler_ends_decides_the_settlement(error, settlement):
    assert settlement_for(error) is settlement


def test_a_failure_raised_on_purpose_is_its_own_reason():
    assert reason_for(InvalidRequestError("no model")) == "invalid_request: no model"


def test_the_reason_of_a_bug_does_not_quote_its_text():
    assert reason_for(ValueError("the prompt was: secret")) == "bug: ValueError"
