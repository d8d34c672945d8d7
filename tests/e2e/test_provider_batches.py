"""Batches whose requests a provider's own batch API gets, with the official client on both sides."""

import json
import signal
from collections.abc import Callable, Iterator
from typing import Any

import openai
import psutil
import pytest

from tests.support.batches import ended, jsonl, line, submit, written
from tests.support.fleet import Fleet, running_fleet

pytestmark = pytest.mark.e2e

CHOSEN = {"reserve_s": 4, "recall_s": 2, "at_least_s": 1, "poll_s": 0.2, "max_requests": 20}
"""Recalled six seconds and called live four seconds before the deadline."""
ENVIRONMENT = {
    "PENSTOCK_MODELS__PATIENT__TARGETS": "simulator/echo",
    "PENSTOCK_MODELS__PATIENT__PROVIDER_BATCH": json.dumps(CHOSEN),
    "PENSTOCK_BATCHES__PROVIDER_ASK_S": "2",
    "PENSTOCK_BATCHES__CHUNK": "10",
}
FAST, LONG = "9s", "60s"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with running_fleet(tmp_path_factory.mktemp("provider-batches"), ENVIRONMENT) as fleet:
        yield fleet


@pytest.fixture
def client(fleet: Fleet) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{fleet.url}/v1", api_key=fleet.api_key, max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def simulator_url(fleet: Fleet) -> str:
    return str(fleet.status()["simulator_url"]).removesuffix("/v1")


@pytest.fixture
def provider(simulator_url: str) -> Iterator[openai.OpenAI]:
    """The provider behind the fleet, whose batches behave well unless a test says otherwise."""
    with openai.OpenAI(base_url=f"{simulator_url}/v1", api_key="none", max_retries=0) as provider:
        behave(provider)
        yield provider


def behave(provider: openai.OpenAI, **behaviour: Any) -> None:
    provider.with_options(base_url=str(provider.base_url).removesuffix("v1/")).put(
        "/simulator/batches", body=behaviour, cast_to=object
    )


def calls(provider: openai.OpenAI, key: str) -> int:
    root = provider.with_options(base_url=str(provider.base_url).removesuffix("v1/"))
    return int(json.loads(root.get(f"/simulator/calls?key={key}", cast_to=str))["calls"])


def requests(names: list[str], **behaviour: Any) -> bytes:
    """Spell requests each of which is counted under its own name."""
    return jsonl(
        line(name, model="patient", simulator={"key": name, **behaviour.get(name, {})}) for name in names
    )


def named(test: str, many: int) -> list[str]:
    return [f"{test}-{n}" for n in range(many)]


def at_the_provider(provider: openai.OpenAI, known: int, many: int) -> Callable[[], bool]:
    return lambda: len(list(provider.batches.list(limit=100))) >= known + many


def test_everything_comes_from_the_providers_batches(client: openai.OpenAI, provider: openai.OpenAI) -> None:
    known = len(list(provider.batches.list(limit=100)))
    names = named("all", 50)
    batch = ended(client, submit(client, requests(names), completion_window=LONG).id)
    assert batch.status == "completed"
    lines = written(client, batch.output_file_id)
    assert [one["custom_id"] for one in lines] == names
    assert [one["response"]["body"]["choices"][0]["message"]["content"] for one in lines] == [
        f"say {name}" for name in names
    ]
    theirs = list(provider.batches.list(limit=100))[: -known or None]
    assert [one.request_counts.total for one in theirs if one.request_counts] == [10, 20, 20]
    assert [calls(provider, name) for name in names] == [1] * 50


def test_what_the_provider_refuses_is_in_the_error_file(
    client: openai.OpenAI, provider: openai.OpenAI
) -> None:
    content = requests(["refused-0", "refused-1"], **{"refused-1": {"status": 400}})
    batch = ended(client, submit(client, content, completion_window=LONG).id)
    assert batch.status == "completed"
    assert [one["custom_id"] for one in written(client, batch.output_file_id)] == ["refused-0"]
    (failed,) = written(client, batch.error_file_id)
    assert (failed["custom_id"], failed["response"]["status_code"]) == ("refused-1", 400)
    assert calls(provider, "refused-1") == 1


def test_the_rest_is_called_live_before_the_deadline(client: openai.OpenAI, provider: openai.OpenAI) -> None:
    behave(provider, share=0.5)
    names = named("half", 20)
    batch = ended(client, submit(client, requests(names), completion_window=FAST).id)
    assert (batch.status, batch.request_counts and batch.request_counts.completed) == ("completed", 20)
    assert [one["custom_id"] for one in written(client, batch.output_file_id)] == names
    theirs = next(iter(provider.batches.list(limit=1)))
    assert (theirs.status, theirs.request_counts and theirs.request_counts.completed) == ("cancelled", 10)
    assert [calls(provider, name) for name in names] == [1] * 20


def test_everything_is_called_live_in_time_while_the_providers_batches_are_down(
    client: openai.OpenAI, provider: openai.OpenAI
) -> None:
    behave(provider, status=503)
    names = named("down", 20)
    batch = ended(client, submit(client, requests(names), completion_window=FAST).id)
    assert (batch.status, batch.request_counts and batch.request_counts.completed) == ("completed", 20)
    assert [calls(provider, name) for name in names] == [1] * 20


def test_a_provider_without_batches_does_not_delay_anything(
    client: openai.OpenAI, provider: openai.OpenAI
) -> None:
    behave(provider, status=404)
    names = named("without", 5)
    batch = ended(client, submit(client, requests(names), completion_window=LONG).id)
    assert batch.status == "completed"
    assert [calls(provider, name) for name in names] == [1] * 5


def test_a_scheduler_killed_before_it_knows_the_providers_id_submits_nothing_again(
    fleet: Fleet, client: openai.OpenAI, provider: openai.OpenAI
) -> None:
    known = len(list(provider.batches.list(limit=100)))
    scheduler = psutil.Process(_pid(fleet, "scheduler"))
    behave(provider, create_delay_s=1.5)
    names = named("killed", 20)
    batch_id = submit(client, requests(names), completion_window=LONG).id
    fleet.wait_until(at_the_provider(provider, known, 1), "the provider has it")
    scheduler.send_signal(signal.SIGKILL)
    batch = ended(client, batch_id)
    assert batch.status == "completed"
    assert [one["custom_id"] for one in written(client, batch.output_file_id)] == names
    assert len(list(provider.batches.list(limit=100))) == known + 1
    assert [calls(provider, name) for name in names] == [1] * 20


def test_a_cancelled_batch_is_cancelled_at_the_provider_too(
    fleet: Fleet, client: openai.OpenAI, provider: openai.OpenAI
) -> None:
    known = len(list(provider.batches.list(limit=100)))
    behave(provider, share=0.5)
    names = named("cancelled", 20)
    batch_id = submit(client, requests(names), completion_window=LONG).id
    fleet.wait_until(at_the_provider(provider, known, 1), "the provider has it")
    client.batches.cancel(batch_id)
    batch = ended(client, batch_id)
    assert batch.status == "cancelled"
    fleet.wait_until(
        lambda: next(iter(provider.batches.list(limit=1))).status == "cancelled", "the provider stops"
    )
    assert max(calls(provider, name) for name in names) <= 1


def _pid(fleet: Fleet, name: str) -> int:
    return next(entry["pid"] for entry in fleet.status()["services"] if entry["name"].startswith(name))
