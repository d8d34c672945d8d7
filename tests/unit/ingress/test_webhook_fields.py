"""What the routes of webhook endpoints and deliveries take."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingress.domain.webhook_delivery_filter import (
    DeliveryConditions,
    read_delivery_page,
    read_redelivery,
)
from services.ingress.domain.webhook_endpoint_fields import (
    EndpointFields,
    read_endpoint_change,
    read_new_endpoint,
    read_overlap,
)
from shared.errors import InvalidRequestError

URL = "https://hooks.example.com/penstock"


def body(**fields: object) -> bytes:
    return orjson.dumps(fields)


def test_an_endpoint_without_choices_gets_every_event():
    assert read_new_endpoint(body(url=URL)) == EndpointFields(
        url=URL, events=("*",), description="", metadata={}, enabled=True
    )
    assert read_new_endpoint(body(url=URL, events=None, enabled=None)).events == ("*",)


def test_an_endpoint_keeps_what_is_chosen_and_names_a_pattern_once():
    fields = read_new_endpoint(
        body(url=URL, events=["job.*", "batch.completed", "job.*"], enabled=False, metadata={"a": [1]})
    )
    assert fields.events == ("job.*", "batch.completed")
    assert fields.enabled is False
    assert fields.metadata == {"a": [1]}


def test_a_change_leaves_what_it_does_not_name_and_null_is_the_default():
    assert read_endpoint_change(b"{}") == EndpointFields()
    changed = read_endpoint_change(body(description=None, events=None, metadata=None, enabled=None))
    assert changed == EndpointFields(description="", events=("*",), metadata={}, enabled=True)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "url"),
        ({"url": None}, "url"),
        ({"url": 7}, "url"),
        ({"url": URL, "secret": "whsec_mine"}, "secret"),
        ({"url": URL, "events": []}, "events"),
        ({"url": URL, "events": "job.*"}, "events"),
        ({"url": URL, "events": ["job.*"] * 51}, "events"),
        ({"url": URL, "events": ["job.*", 1]}, "events[1]"),
        ({"url": URL, "events": ["job.**"]}, "events[0]"),
        ({"url": URL, "events": ["*.completed"]}, "events[0]"),
        ({"url": URL, "events": ["Job.completed"]}, "events[0]"),
        ({"url": URL, "events": ["job.completed\n"]}, "events[0]"),
        ({"url": URL, "events": [""]}, "events[0]"),
        ({"url": URL, "description": "x" * 501}, "description"),
        ({"url": URL, "description": "nul\0"}, "description"),
        ({"url": URL, "metadata": ["a"]}, "metadata"),
        ({"url": URL, "metadata": {"a": "x" * 17_000}}, "metadata"),
        ({"url": URL, "enabled": "yes"}, "enabled"),
    ],
)
def test_a_wrong_member_is_named(fields, param):
    with pytest.raises(InvalidRequestError) as refused:
        read_new_endpoint(orjson.dumps(fields))
    assert refused.value.param == param


def test_the_url_cannot_be_taken_away():
    with pytest.raises(InvalidRequestError) as refused:
        read_endpoint_change(body(url=None))
    assert refused.value.param == "url"


def test_the_overlap_is_a_day_unless_it_is_named():
    assert read_overlap(b"") == read_overlap(b"{}") == read_overlap(body(overlap_s=None)) == timedelta(days=1)
    assert read_overlap(body(overlap_s=0)) == timedelta()
    assert read_overlap(body(overlap_s=0.5)) == timedelta(seconds=0.5)


@pytest.mark.parametrize("value", [-1, 604_801, 1e300, True, "1", []])
def test_an_overlap_beyond_its_bounds_is_refused(value):
    with pytest.raises(InvalidRequestError) as refused:
        read_overlap(body(overlap_s=value))
    assert refused.value.param == "overlap_s"


def test_a_page_of_deliveries_is_chosen_by_status_type_and_time():
    page = read_delivery_page(
        {
            "status": "failed",
            "type": "job.completed",
            "created_after": "0",
            "created_before": "2026-01-31T12:00:00 02:00",  # a plus sign, as a query has it
            "limit": "7",
            "after": "whd_0198c1f2a5b47c3d8e9f001122334455",
        }
    )
    assert page.conditions == DeliveryConditions(
        status="failed",
        event_type="job.completed",
        created_after=datetime(1970, 1, 1, tzinfo=UTC),
        created_before=datetime(2026, 1, 31, 10, tzinfo=UTC),
    )
    assert (page.limit, page.before) == (7, UUID("0198c1f2a5b47c3d8e9f001122334455"))


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"state": "failed"}, "state"),
        ({"status": "lost"}, "status"),
        ({"type": "\0"}, "type"),
        ({"created_after": "yesterday"}, "created_after"),
        ({"limit": "0"}, "limit"),
        ({"after": "we_0198c1f2a5b47c3d8e9f001122334455"}, "after"),
    ],
)
def test_a_wrong_query_parameter_is_named(query, param):
    with pytest.raises(InvalidRequestError) as refused:
        read_delivery_page(query)
    assert refused.value.param == param


def test_a_redelivery_takes_what_failed_unless_it_is_told_otherwise():
    assert read_redelivery(b"") == (DeliveryConditions(status="failed"), 10_000)
    conditions, limit = read_redelivery(body(status="delivered", created_after=60, limit=5))
    assert conditions == DeliveryConditions(
        status="delivered", created_after=datetime(1970, 1, 1, 0, 1, tzinfo=UTC)
    )
    assert limit == 5


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 10_001}, "limit"),
        ({"limit": True}, "limit"),
        ({"status": 1}, "status"),
        ({"created_after": True}, "created_after"),
        ({"created_before": 10**30}, "created_before"),
        ({"type": ["job.*"]}, "type"),
        ({"ids": []}, "ids"),
    ],
)
def test_a_wrong_member_of_a_redelivery_is_named(fields, param):
    with pytest.raises(InvalidRequestError) as refused:
        read_redelivery(json_of(fields))
    assert refused.value.param == param


def json_of(fields: dict[str, object]) -> bytes:
    import json

    return json.dumps(fields).encode()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(
    st.dictionaries(
        st.sampled_from(
            ["url", "events", "description", "metadata", "enabled", "overlap_s", "limit", "status"]
        ),
        JSON,
        max_size=4,
    )
)
def test_whatever_comes_is_read_or_refused_with_a_name(fields):
    for read in (read_new_endpoint, read_endpoint_change, read_overlap, read_redelivery):
        try:
            read(json_of(fields))
        except InvalidRequestError as error:
            assert error.param or "JSON" in error.message  # noqa: PT017 - any of the two ways is right
