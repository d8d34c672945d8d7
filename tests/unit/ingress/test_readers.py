"""What callers may write in keys, times, webhooks and batches: read right, or refused with its name."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as some

from services.ingress.domain.batch_lines import jobs_in
from services.ingress.domain.idempotency import read_key
from services.ingress.domain.job_times import JobLimits, read_cancel_after, read_times
from services.ingress.domain.job_webhook import read_webhook
from services.ingress.domain.json_elements import ArrayElements
from services.ingress.domain.lanes import lane_of_tier
from services.ingress.domain.moments import read_header_moment, read_moment
from shared.config.settings import EgressSettings
from shared.contracts.jobs import Lane
from shared.errors import InvalidRequestError
from shared.security.egress import EgressPolicy, UrlNotAllowedError

NOW = datetime(2030, 1, 31, 12, tzinfo=UTC)
LIMITS = JobLimits(deadline_s=60, max_deadline_s=600, max_run_in_s=3600, attempts=1, max_attempts=1)
EGRESS = EgressPolicy(EgressSettings())
anything = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats(allow_nan=False) | some.text(),
    lambda inner: some.lists(inner, max_size=4) | some.dictionaries(some.text(), inner, max_size=4),
    max_leaves=12,
)
seconds = some.integers(1, 3600)
Found = TypeVar("Found")


def read_or_refused(read: Callable[[], Found]) -> tuple[Found | None, str | None]:
    """What was read, or the name of what is at fault."""
    try:
        return read(), None
    except InvalidRequestError as error:
        return None, error.param or ""


@given(key=some.text(some.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=253))
def test_every_visible_key_is_a_key_quoted_or_not(key: str):
    quoted = read_key(f' "{key}" ', route="POST /v1/jobs", body=b"{}")
    assert quoted.key == key
    if not (len(key) > 1 and key[0] == key[-1] == '"'):
        assert read_key(key, route="POST /v1/jobs", body=b"{}") == quoted


@given(key=some.text())
def test_what_is_no_key_is_refused(key: str):
    use, param = read_or_refused(lambda: read_key(key, route="r", body=b""))
    assert param == "Idempotency-Key" if use is None else 1 <= len(use.key) <= 255


def test_route_and_body_make_the_fingerprint():
    uses = [read_key("k", route=route, body=body) for route, body in (("a", b"b"), ("ab", b""), ("a", b"c"))]
    assert len({use.fingerprint for use in uses}) == 3


@given(value=anything, text=some.text())
def test_a_time_is_read_or_refused_with_its_name(value: Any, text: str):
    for read in (
        lambda: read_moment(value, param="t", since=NOW),
        lambda: read_header_moment(text, param="t", since=NOW),
    ):
        moment, param = read_or_refused(read)
        assert param == "t" if moment is None else moment.tzinfo is UTC


@given(after=some.integers(-(10**9), 10**9), offset=some.integers(-12, 14))
def test_a_moment_means_the_same_in_every_spelling(after: int, offset: int):
    moment = (NOW + timedelta(seconds=after)).astimezone(timezone(timedelta(hours=offset)))
    assert read_moment(moment.isoformat(), param="t", since=NOW) == moment
    http_date = format_datetime(moment.astimezone(UTC), usegmt=True)
    assert read_header_moment(http_date, param="t", since=NOW) == moment
    assert read_header_moment(moment.isoformat(), param="t", since=NOW) == moment


@given(run_in=some.none() | seconds, deadline=some.none() | seconds, header=some.none() | seconds)
def test_a_deadline_lies_behind_the_start_and_within_its_bound(
    run_in: int | None, deadline: int | None, header: int | None
):
    fields = {"run_at": run_in, "deadline": deadline}
    cancel_after = None if header is None else NOW + timedelta(seconds=header)
    start = NOW + timedelta(seconds=run_in or 0)
    times, param = read_or_refused(lambda: read_times(fields, LIMITS, NOW, cancel_after))
    if times is None:
        assert param in ("deadline", "Cancel-After")
        return
    assert times.run_at == (None if run_in is None else start)
    assert start < times.deadline_at <= start + timedelta(seconds=600)
    if deadline is not None:
        assert times.deadline_at <= start + timedelta(seconds=deadline)
    if cancel_after is not None:
        assert times.deadline_at <= cancel_after
    if deadline is None and cancel_after is None:
        assert times.deadline_at == start + timedelta(seconds=60)


def test_a_start_that_has_passed_is_now_and_one_too_far_is_refused():
    past = (NOW - timedelta(days=1)).isoformat()
    assert read_times({"run_at": past}, LIMITS, NOW, None).run_at is None
    with pytest.raises(InvalidRequestError) as caught:
        read_times({"run_at": 3601}, LIMITS, NOW, None)
    assert caught.value.param == "run_at"


@pytest.mark.parametrize(
    "header", [b"0", b"-1", b"soon", b"", b"Sun, 06 Nov 1994 08:49:37 GMT", b"\xff", b"1e9"]
)
def test_a_cancel_after_that_is_no_time_to_come_is_refused(header: bytes):
    with pytest.raises(InvalidRequestError) as caught:
        read_cancel_after(header, NOW)
    assert caught.value.param == "Cancel-After"


@given(value=anything | some.dictionaries(some.sampled_from(["url", "events"]), anything))
def test_a_webhook_is_read_or_refused_with_its_name(value: Any):
    webhook, param = read_or_refused(lambda: read_webhook(value, EGRESS))
    if param is not None:
        assert param.startswith("webhook")
    elif webhook is not None:
        assert webhook.url.startswith(("http://", "https://"))


def test_a_webhook_is_a_url_or_an_object():
    url = "https://example.com/hook?x=1"
    plain, chosen = (
        read_webhook(url, EGRESS),
        read_webhook({"url": url, "events": ["job.failed"] * 2}, EGRESS),
    )
    assert plain is not None
    assert chosen is not None
    assert plain.document() == {"url": url, "events": None}
    assert chosen.document() == {"url": url, "events": ["job.failed"]}
    for wrong in ("ftp://x", "https://a\nb", {"url": url, "events": []}, {"url": url, "events": ["batch.*"]}):
        with pytest.raises(InvalidRequestError):
            read_webhook(wrong, EGRESS)


def test_a_webhook_goes_nowhere_that_the_guard_would_refuse():
    for url in (
        "http://169.254.169.254/latest",
        "http://[::1]/",
        "https://u:p@example.com/",
        "http://x.com:22/",
    ):
        for webhook, param in ((url, "webhook"), ({"url": url}, "webhook.url")):
            with pytest.raises(UrlNotAllowedError) as caught:
                read_webhook(webhook, EGRESS)
            assert caught.value.param == param


@given(values=some.lists(anything, max_size=6), indent=some.none() | some.integers(0, 3))
def test_elements_of_an_array_are_cut_where_json_says(values: list[Any], indent: int | None):
    body = json.dumps({"jobs": values}, indent=indent).encode()
    assert [json.loads(element) for element in jobs_in(body, "application/json")] == values
    with pytest.raises(InvalidRequestError):
        list(jobs_in(body[: len(body) // 2], "application/json"))


@given(text=some.binary(max_size=60) | some.text('[]{},":\\a 1', max_size=60).map(str.encode))
def test_any_bytes_are_elements_or_refused(text: bytes):
    try:
        elements = ArrayElements(text, 0)
        assert sum(map(len, elements)) <= elements.end <= len(text)
    except InvalidRequestError:
        pass


@given(values=some.lists(anything, max_size=5), end=some.sampled_from([b"\n", b"\r\n", b"\n\n"]))
def test_lines_are_jobs_and_blank_ones_are_not(values: list[Any], end: bytes):
    body = end.join(json.dumps(value).encode() for value in values) + end
    assert [json.loads(line) for line in jobs_in(body, "application/jsonl; charset=utf-8")] == values


def test_a_tier_names_a_lane_or_nothing():
    assert [lane_of_tier(tier) for tier in ("auto", "default", "priority", "flex", "batch")] == [
        None,
        None,
        Lane.INTERACTIVE,
        Lane.STANDARD,
        Lane.BATCH,
    ]
    with pytest.raises(InvalidRequestError):
        lane_of_tier("gold")
