"""The rules of retrying, and of room."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as some
from pydantic import ValidationError

from services.webhook_delivery.domain.delivery import Attempt, DueDelivery, Error, Verdict
from services.webhook_delivery.domain.judgement import Judgement, not_sendable
from services.webhook_delivery.domain.limits import TargetLimits
from services.webhook_delivery.domain.retry_after import retry_after_s
from services.webhook_delivery.settings import SendingSettings
from shared.contracts.ids import new_id

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
DELAYS_S = SendingSettings().retry_delays_s


def due(**fields: object) -> DueDelivery:
    values: dict[str, object] = {
        "id": new_id(),
        "tenant_id": new_id(),
        "target": new_id(),
        "endpoint_id": new_id(),
        "url": "https://example.com/",
        "enabled": True,
        "event_id": new_id(),
        "event_type": "x.y",
        "payload": b"{}",
        "sealed_secrets": (),
        "failures": 0,
        "claim": 1,
        "created_at": NOW,
        "attempts": 0,
        **fields,
    }
    return DueDelivery(**values)


def attempt(**fields: object) -> Attempt:
    return Attempt(at=NOW, duration_s=0.1, **fields)


def judgement(chance: float = 0.0) -> Judgement:
    return Judgement(delays_s=DELAYS_S, jitter=0.1, retry_after_limit_s=36_000, chance=lambda: chance)


def test_the_pauses_are_5_s_5_min_30_min_2_h_5_h_10_h_and_10_h() -> None:
    bad = attempt(status=500, error=Error.HTTP_STATUS)
    outcomes = [judgement().of(due(failures=failures), bad) for failures in range(8)]
    assert [outcome.retry_in_s for outcome in outcomes] == [
        *(5, 300, 1800, 7200, 18_000, 36_000, 36_000, None),
    ]
    assert [outcome.verdict for outcome in outcomes] == [Verdict.RETRY] * 7 + [Verdict.FAILED]


def test_jitter_makes_a_pause_longer_by_up_to_a_tenth() -> None:
    bad = attempt(error=Error.TIMEOUT)
    assert judgement(1.0).of(due(failures=1), bad).retry_in_s == pytest.approx(330)
    assert judgement(0.5).of(due(), bad).retry_in_s == pytest.approx(5.25)


@pytest.mark.parametrize(
    ("asked_s", "pause_s"), [(None, 5), (0, 5), (3, 5), (60, 60), (36_000, 36_000), (10**12, 36_000)]
)
def test_retry_after_makes_a_pause_longer_within_a_bound(asked_s: float | None, pause_s: float) -> None:
    bad = attempt(status=429, error=Error.HTTP_STATUS, retry_after_s=asked_s)
    assert judgement().of(due(), bad).retry_in_s == pause_s


def test_a_success_is_delivered_and_410_is_the_end() -> None:
    well = judgement().of(due(), attempt(status=200))
    assert (well.verdict, well.error, well.gone) == (Verdict.DELIVERED, None, False)
    gone = judgement().of(due(), attempt(status=410, error=Error.HTTP_STATUS, retry_after_s=5))
    assert (gone.verdict, gone.gone, gone.retry_in_s) == (Verdict.FAILED, True, None)


def test_nothing_is_sent_to_an_endpoint_that_takes_nothing() -> None:
    assert not_sendable(due()) is None
    for delivery, error in (
        (due(url=None), Error.ENDPOINT_DELETED),
        (due(enabled=False), Error.ENDPOINT_DISABLED),
    ):
        outcome = not_sendable(delivery)
        assert outcome is not None
        assert (outcome.verdict, outcome.error) == (Verdict.FAILED, error)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("\u0665", None),
        ("0", 0),
        (" 120 ", 120),
        ("9" * 400, 999_999_999_999),
        ("Thu, 01 Jan 2026 12:02:00 GMT", 120),
        ("Thu, 01 Jan 2026 12:02:00", 120),
        ("Thu, 01 Jan 2026 11:00:00 GMT", 0),
        ("Thu, 99 Jan 2026 11:00:00 GMT", None),
    ],
)
def test_retry_after_is_read_in_both_its_forms(header: str | None, seconds: float | None) -> None:
    assert retry_after_s(header, now=NOW) == seconds


def test_room_grows_with_success_and_shrinks_to_one_after_a_failure() -> None:
    limits, target = TargetLimits(16), new_id()
    assert limits.default == 4
    assert limits.room() == {}
    limits.began(target)
    assert limits.room() == {target: 3}
    for expected in (8, 16, 16):
        limits.answered(target, well=True)
        assert limits.room() == {target: expected - 1}
    limits.answered(target, well=False)
    assert limits.room() == {target: 0}
    limits.ended(target)
    assert limits.room() == {target: 1}
    limits.answered(target, well=True)
    assert limits.room() == {target: 2}


def test_what_is_known_of_receivers_is_bounded() -> None:
    limits = TargetLimits(2)
    assert limits.default == 2
    for number in range(5000):
        limits.answered(UUID(int=number), well=False)
    assert len(limits.room()) == 2000
    assert UUID(int=4999) in limits.room()


def test_a_lease_that_ends_before_its_request_is_refused() -> None:
    with pytest.raises(ValidationError, match="lease_s must be longer"):
        SendingSettings(timeout_s=15, lease_s=15)


@given(
    header=some.text(max_size=40)
    | some.builds(
        "Thu, 01 Jan {} {}:00:00 {}{}".format,
        some.integers(),
        some.integers(),
        some.sampled_from("+-"),
        some.integers(),
    )
)
@example(header="Thu, 01 Jan 2026 00:00:00 +99999999999999999999")
def test_whatever_a_receiver_says_to_retry_after_is_a_time_or_nothing(header: str) -> None:
    seconds = retry_after_s(header, now=NOW)
    assert seconds is None or seconds >= 0
