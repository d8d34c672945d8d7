"""What a submission may say: when to run, until when, with which key; alone or ten thousand at once."""

import json
import os
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPException
from typing import Any
from uuid import uuid4

import openai
import psycopg
import pytest

from services.cli.data_dir import DataDir
from services.cli.state import FleetState
from tests.faults.campaign.victims import entry_of, postgres_url
from tests.support.fleet import Fleet

pytestmark = pytest.mark.e2e
CHAT = "/v1/chat/completions"
on_one_broker = pytest.mark.parametrize("fleet", ["embedded"], indirect=True)
"""For what the broker has no part in."""


def chat(text: str = "one two three", **fields: Any) -> dict[str, Any]:
    return {"model": "simulator/echo", "messages": [{"role": "user", "content": text}], **fields}


def submit(fleet: Fleet, body: dict[str, Any], key: str | None = None, **fields: Any) -> dict[str, Any]:
    headers = {} if key is None else {"Idempotency-Key": key}
    status, _, raw = fleet.request(
        "POST", "/v1/jobs", {"operation": "chat", "input": body, **fields}, headers
    )
    assert status == 202, raw
    return dict(json.loads(raw))


def ended(fleet: Fleet, job_id: str) -> dict[str, Any]:
    return dict(fleet.json("GET", f"/v1/jobs/{job_id}?wait=30"))


def calls(fleet: Fleet, key: str) -> int:
    state = FleetState.read(DataDir.at(fleet.data_dir))
    assert state is not None
    with urllib.request.urlopen(f"{state.simulator_url}/simulator/calls?key={key}") as answer:  # noqa: S310 - loopback
        return int(json.loads(answer.read())["calls"])


@contextmanager
def standing_still(fleet: Fleet, service: str) -> Iterator[None]:
    """Stop a service in the middle of what it does, for less than the supervisor notices."""
    pid = entry_of(fleet, service).pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def until_answered(post: Callable[[], tuple[int, Any, bytes]], limit_s: float = 60) -> bytes:
    """Repeat a request, as a client would, until it is neither lost nor refused for the moment."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        try:
            status, _, raw = post()
        except (urllib.error.URLError, HTTPException, OSError):
            status = 0
        if status in (200, 202):
            return raw
        time.sleep(0.05)
    raise AssertionError("no answer")


def test_a_job_runs_when_it_is_to_run_and_its_deadline_counts_from_there(fleet: Fleet) -> None:
    key = uuid4().hex
    job = submit(fleet, chat(simulator={"key": key}), run_at=1, deadline=60)
    assert job["status"] == "queued"
    assert job["run_at"] > job["created_at"]
    assert job["deadline_at"] == job["run_at"] + 60
    assert calls(fleet, key) == 0
    done = ended(fleet, job["id"])
    assert (done["status"], done["run_at"]) == ("completed", job["run_at"])
    assert done["started_at"] >= job["run_at"]
    assert calls(fleet, key) == 1


def test_a_job_that_is_to_run_later_can_be_cancelled_before(fleet: Fleet) -> None:
    key = uuid4().hex
    job = submit(fleet, chat(simulator={"key": key}), run_at=1)
    assert fleet.request("POST", job["urls"]["cancel"])[0] == 200
    beacon = submit(fleet, chat(), run_at=1.5)
    assert ended(fleet, beacon["id"])["status"] == "completed"
    assert fleet.json("GET", job["urls"]["self"])["status"] == "cancelled"
    assert calls(fleet, key) == 0


def test_what_has_not_started_by_its_deadline_calls_nobody_and_costs_nothing(fleet: Fleet) -> None:
    keys = [uuid4().hex for _ in range(3)]
    with standing_still(fleet, "provider_worker"):
        by_field = submit(fleet, chat(simulator={"key": keys[0]}), deadline=0.5)
        headers = {"Cancel-After": "0.5"}
        later = {**headers, "Prefer": "respond-async"}
        by_header = fleet.json("POST", CHAT, chat(simulator={"key": keys[1]}), later)
        status, answer, raw = fleet.request("POST", CHAT, chat(simulator={"key": keys[2]}), headers)
        assert (status, json.loads(raw)["error"]["code"]) == (504, "deadline_exceeded")
        ids = [by_field["id"], by_header["id"], answer["X-Job-Id"]]
        fleet.wait_until(
            lambda: all(fleet.request("GET", f"/v1/jobs/{job_id}")[0] == 200 for job_id in ids),
            "the synchronous call is recorded",
        )
        jobs = [ended(fleet, job_id) for job_id in ids]
    assert [job["status"] for job in jobs] == ["expired"] * 3
    assert ended(fleet, submit(fleet, chat())["id"])["status"] == "completed"  # the worker has gone on
    assert fleet.request("POST", CHAT, chat())[0] == 200
    assert [calls(fleet, key) for key in keys] == [0, 0, 0]
    for job_id in ids:
        job = fleet.json("GET", f"/v1/jobs/{job_id}")
        assert (job["usage"]["total_tokens"], job["usage"]["cost_microusd"]) in ((0, None), (0, 0))


@on_one_broker
def test_a_call_with_a_key_is_made_once_however_often_and_however_it_is_asked_for(fleet: Fleet) -> None:
    key = uuid4().hex
    body = chat(simulator={"key": key, "delay_ms": 300})
    headers = {"Idempotency-Key": key}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: fleet.request("POST", CHAT, body, headers), range(8)))
    assert {status for status, _, _ in answers} == {200}
    assert len({raw for _, _, raw in answers}) == 1
    assert len({answer["X-Job-Id"] for _, answer, _ in answers}) == 1
    assert sum(answer["Idempotent-Replayed"] is None for _, answer, _ in answers) == 1
    assert calls(fleet, key) == 1


@on_one_broker
def test_a_stream_with_a_key_comes_again_from_its_first_chunk(fleet: Fleet) -> None:
    key = uuid4().hex
    text = " ".join(f"w{n}" for n in range(30))

    def read(client: openai.OpenAI, limit: int | None = None) -> list[str]:
        stream = client.chat.completions.create(
            model="simulator/echo",
            messages=[{"role": "user", "content": text}],
            stream=True,
            stream_options={"include_usage": True},
            extra_headers={"Idempotency-Key": key},
            extra_body={"simulator": {"key": key, "tokens_per_s": 100}},
        )
        told = []
        with stream:
            for chunk in stream:
                told.append(chunk.model_dump_json())
                if len(told) == limit:
                    break
        return told

    with openai.OpenAI(base_url=f"{fleet.url}/v1", api_key=fleet.api_key, max_retries=0) as client:
        beginning = read(client, limit=5)
        whole = read(client)
        again = read(client)
    assert whole == again
    assert whole[:5] == beginning
    chunks = [json.loads(chunk) for chunk in whole]
    assert chunks[-1]["usage"]["completion_tokens"] == 30
    told = "".join(c["choices"][0]["delta"]["content"] or "" for c in chunks if c["choices"])
    assert told == text
    assert calls(fleet, key) == 1


@on_one_broker
def test_a_stream_with_a_key_that_fails_before_its_first_chunk_is_an_ordinary_error(fleet: Fleet) -> None:
    headers = {"Idempotency-Key": uuid4().hex}
    body = chat(stream=True, simulator={"status": 400})
    first, second = (fleet.request("POST", CHAT, body, headers) for _ in range(2))
    assert first[0] == second[0] == 400
    assert first[2] == second[2]
    assert json.loads(first[2])["error"]["code"] == "provider_rejected"


@on_one_broker
def test_a_batch_runs_on_its_lane_and_is_found_again_by_its_key(fleet: Fleet) -> None:
    key = uuid4().hex
    jobs = [
        {"operation": "chat", "input": chat(f"n{n}", simulator={"key": key}), "service_tier": "batch"}
        for n in range(600)
    ]
    headers = {"Idempotency-Key": key}
    first, second = (fleet.json("POST", "/v1/jobs/batch", {"jobs": jobs}, headers) for _ in range(2))
    assert first == second
    assert first["accepted"] == 600
    for accepted in (first["jobs"][0], first["jobs"][-1]):
        done = ended(fleet, accepted["id"])
        assert (done["status"], done["lane"]) == ("completed", "batch")
    fleet.wait_until(lambda: calls(fleet, key) == 600, "each job has been called")


@on_one_broker
def test_a_key_is_one_job_although_what_accepts_it_is_killed(fleet: Fleet) -> None:
    run = uuid4().hex

    def insist(number: int) -> str:
        body = {"operation": "chat", "input": chat(), "metadata": {"run": run, "n": number}, "lane": "batch"}
        headers = {"Idempotency-Key": f"{run}-{number}"}
        raw = until_answered(lambda: fleet.request("POST", "/v1/jobs", body, headers))
        again = until_answered(lambda: fleet.request("POST", "/v1/jobs", body, headers))
        assert raw == again
        return str(json.loads(raw)["id"])

    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(insist, range(200))
        first = next(answers)
        for victim in ("ingress", "postgres"):
            pid = entry_of(fleet, victim).pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
        ids = {first, *answers}
    with psycopg.connect(postgres_url(fleet)) as connection:
        found = connection.execute(
            "SELECT count(*), count(DISTINCT metadata->>'n') FROM jobs WHERE metadata->>'run' = %s", (run,)
        ).fetchone()
    assert found == (200, 200)
    assert len(ids) == 200
