"""Webhooks tell of a batch, not of each of its lines."""

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.e2e.test_webhook_endpoints import call, endpoint, is_believed
from tests.support.batches import ended, jsonl, line, submit
from tests.support.fleet import Fleet
from tests.support.webhook_receiver import Receiver, receiving

pytestmark = pytest.mark.e2e


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def client(fleet: Fleet) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{fleet.url}/v1", api_key=fleet.api_key, max_retries=0) as client:
        yield client


def told(receiver: Receiver, secret: str, count: int) -> dict[str, Any]:
    """Read so many events, in whatever order they come; returns the data of each type."""
    hooks = [receiver.next() for _ in range(count)]
    assert all(is_believed(hook, secret) for hook in hooks)
    return {event["type"]: event["data"] for event in (json.loads(hook.body) for hook in hooks)}


def test_an_endpoint_hears_of_each_batch_as_its_route_shows_it_and_not_of_its_lines(
    client: openai.OpenAI, fleet: Fleet, receiver: Receiver
) -> None:
    with endpoint(fleet, receiver) as made:
        good = submit(client, jsonl([line(f"r-{n}") for n in range(4)]), metadata={"night": "1"})
        ended(client, good.id)
        events = told(receiver, made["secret"], 2)
        assert events.keys() == {"batch.in_progress", "batch.completed"}
        assert events["batch.in_progress"]["request_counts"] == {"total": 4, "completed": 0, "failed": 0}
        assert events["batch.completed"] == call(fleet, "GET", f"/v1/batches/{good.id}")

        bad = submit(client, b"not a request\n")
        ended(client, bad.id)
        events = told(receiver, made["secret"], 1)
        assert events == {"batch.failed": call(fleet, "GET", f"/v1/batches/{bad.id}")}

        made_of = call(fleet, "GET", f"/v1/webhook_endpoints/{made['id']}/deliveries")["data"]
        assert sorted(one["type"] for one in made_of) == [
            "batch.completed",
            "batch.failed",
            "batch.in_progress",
        ]
