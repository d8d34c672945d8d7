"""Work that nobody wants any more makes no provider call, and one that is under way is broken off."""

import json
import urllib.request

import pytest

from tests.e2e.test_jobs import submit
from tests.support.fleet import Fleet

pytestmark = pytest.mark.e2e

A_SECOND = 1.0


@pytest.fixture(scope="module")
def simulator_url(fleet: Fleet) -> str:
    return str(fleet.status()["simulator_url"])


def provider(simulator_url: str, path: str) -> dict:
    with urllib.request.urlopen(f"{simulator_url}/simulator/{path}", timeout=10) as answer:  # noqa: S310 - loopback
        return dict(json.load(answer))


def calls(simulator_url: str, key: str) -> dict:
    return provider(simulator_url, f"calls?key={key}")


@pytest.mark.parametrize("stream", [False, True])
def test_a_cancelled_job_breaks_its_providers_connection_within_a_second(
    stream: bool, fleet: Fleet, simulator_url: str
) -> None:
    key = f"cancelled-{stream}-{fleet.port}"
    behaviour = {"key": key, "tokens_per_s": 10} if stream else {"key": key, "hang": True}
    job = submit(fleet, "word " * 600, simulator=behaviour, extra={"stream": stream})
    fleet.wait_until(lambda: calls(simulator_url, key)["active"] == 1, "the provider is called")
    if stream:
        fleet.wait_until(
            lambda: fleet.json("GET", f"/v1/jobs/{job['id']}")["last_event"] > 2, "it has streamed something"
        )
    cancelled = fleet.json("POST", f"/v1/jobs/{job['id']}/cancel")
    assert cancelled["status"] == "cancelled"
    fleet.wait_until(lambda: calls(simulator_url, key)["aborted"] == 1, "the call is aborted", A_SECOND)
    if stream:  # it is billed as far as it came
        fleet.wait_until(
            lambda: fleet.json("GET", f"/v1/jobs/{job['id']}")["usage"]["input_tokens"] > 0,
            "what the call used is in the account of its job",
        )
    assert fleet.json("GET", f"/v1/jobs/{job['id']}")["finished_at"] == cancelled["finished_at"]


def test_a_job_that_waits_for_its_next_attempt_is_cancelled_without_another_call(
    fleet: Fleet, simulator_url: str
) -> None:
    key = f"waiting-{fleet.port}"
    behaviour = {"key": key, "status": 503, "retry_after_s": 0.5}
    job = submit(fleet, "again", simulator=behaviour, max_attempts=10)
    path = f"/v1/jobs/{job['id']}"
    fleet.wait_until(
        lambda: (now := fleet.json("GET", path))["status"] == "queued" and now["attempt"] > 1, "it is put off"
    )
    assert fleet.json("POST", f"{path}/cancel")["status"] == "cancelled"
    before = calls(simulator_url, key)["calls"]
    later = submit(fleet, "once more", simulator={"key": f"{key}-later", "status": 503, "fail_times": 2})
    fleet.wait_until(
        lambda: fleet.json("GET", f"/v1/jobs/{later['id']}")["status"] == "completed", "others go on"
    )
    assert calls(simulator_url, key)["calls"] == before


def test_an_expired_job_breaks_its_providers_connection(fleet: Fleet, simulator_url: str) -> None:
    key = f"expired-{fleet.port}"
    job = submit(fleet, "too late", simulator={"key": key, "hang": True}, deadline=0.7)
    expired = fleet.json("GET", f"/v1/jobs/{job['id']}?wait=10")
    assert expired["status"] == "expired"
    fleet.wait_until(lambda: calls(simulator_url, key)["active"] == 0, "the call is aborted", A_SECOND)
    assert calls(simulator_url, key)["calls"] == calls(simulator_url, key)["aborted"]
