"""Lanes and preferences."""

import pytest

from services.ingress.domain.lanes import background_lane, waiting_lane
from services.ingress.domain.preference import Preference, read_preference
from shared.contracts.jobs import Lane
from shared.errors import InvalidRequestError


@pytest.mark.parametrize(
    ("tier", "waiting", "background"),
    [
        (None, Lane.INTERACTIVE, Lane.STANDARD),
        ("auto", Lane.INTERACTIVE, Lane.STANDARD),
        ("default", Lane.INTERACTIVE, Lane.STANDARD),
        ("priority", Lane.INTERACTIVE, Lane.INTERACTIVE),
        ("flex", Lane.STANDARD, Lane.STANDARD),
        ("batch", Lane.BATCH, Lane.BATCH),
        ("on_demand", Lane.INTERACTIVE, Lane.STANDARD),
    ],
)
def test_the_service_tier_chooses_the_lane(tier: str | None, waiting: Lane, background: Lane):
    assert (waiting_lane(tier), background_lane(tier)) == (waiting, background)


@pytest.mark.parametrize(
    ("header", "preference"),
    [
        (None, Preference()),
        ("", Preference()),
        ("respond-async", Preference(respond_async=True)),
        ("Respond-Async, wait=10", Preference(respond_async=True, wait_s=10)),
        ('wait="5";x=1, respond-async;foo', Preference(respond_async=True, wait_s=5)),
        ("respond-async, wait=1, wait=2", Preference(respond_async=True, wait_s=1)),
        ("handling=lenient, return=minimal", Preference()),
    ],
)
def test_a_preference_is_read_as_the_rfc_says(header: str | None, preference: Preference):
    assert read_preference(header) == preference


@pytest.mark.parametrize("wait", ["", "-1", "1.5", "x", "9" * 20, "\u0661"])
def test_a_wait_that_is_no_number_of_seconds_is_refused(wait: str):
    with pytest.raises(InvalidRequestError):
        read_preference(f"respond-async, wait={wait}")
