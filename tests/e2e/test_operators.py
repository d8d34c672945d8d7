"""An operator at the command line of a running fleet: sees every queue and worker, and steers both."""

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from shared.messaging.broker import Message
from shared.messaging.topology import FLEET, PROVIDER_BATCHES_QUEUE
from tests.support.backlog import backlog_of
from tests.support.fleet import Fleet

pytestmark = pytest.mark.e2e

IMAGES = "jobs.image.batch.v1"
EMBEDDINGS = "jobs.embedding.interactive.v1"
CHATS = "jobs.chat.batch.v1"
on_one_broker = pytest.mark.parametrize("fleet", ["embedded"], indirect=True, scope="session")
"""What no broker has a part in."""


def run(fleet: Fleet, *arguments: str, code: int = 0) -> str:
    done = fleet.command(*arguments)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def admin(fleet: Fleet, path: str, method: str = "GET") -> Any:
    """Ask or steer without the start of a process, which takes longer than the answer."""
    credentials = json.loads((fleet.data_dir / "credentials.json").read_text())
    headers = {"Authorization": f"Bearer {credentials['operator_key']}"}
    return fleet.json(method, f"/api/v1/admin/{path}", headers=headers)["data"]


def queue(fleet: Fleet, name: str) -> dict[str, Any]:
    return dict(admin(fleet, f"queues/{name}"))


def workers(fleet: Fleet) -> list[dict[str, Any]]:
    """Ask until they answer: a busy machine may let one miss the half second that is waited."""
    found: list[dict[str, Any]] = []

    def answered() -> bool:
        found[:] = admin(fleet, "workers")
        return bool(found)

    fleet.wait_until(answered, "the worker answers")
    return found


def chat(text: str, **simulator: Any) -> dict[str, Any]:
    return {
        "model": "simulator/echo",
        "messages": [{"role": "user", "content": text}],
        "simulator": simulator,
    }


def submit(fleet: Fleet, text: str, lane: str = "batch", **simulator: Any) -> dict[str, Any]:
    body = {"operation": "chat", "lane": lane, "input": chat(text, **simulator)}
    return dict(fleet.json("POST", "/v1/jobs", body))


def ended(fleet: Fleet, job: dict[str, Any]) -> dict[str, Any]:
    return dict(fleet.json("GET", f"{job['urls']['self']}?wait=30"))


@pytest.fixture
def resumed(fleet: Fleet) -> Iterator[None]:
    """Leave the fleet as it was."""
    yield
    for name in (CHATS, EMBEDDINGS):
        admin(fleet, f"queues/{name}/resume", "POST")
    for worker in workers(fleet):
        admin(fleet, f"workers/{worker['name']}/resume", "POST")


def test_every_queue_is_shown_with_figures_or_with_the_reason_why_there_are_none(fleet: Fleet):
    ended(fleet, submit(fleet, "one"))
    queues = admin(fleet, "queues")
    assert {each["name"] for each in queues} == set(FLEET.by_name)
    for each in queues:
        asked = each["name"] != PROVIDER_BATCHES_QUEUE  # no alias has chosen its provider's batches
        assert (each["depth"], each["state"], each["consumers"]) == (0, "running", int(asked)), each
        if each["operation"] is not None:
            assert each["in_flight"] == 0
            assert each["rate"]["in_per_s"] is not None
            assert not each["unknown"]
        else:
            assert each["unknown"]["rate"]
            assert each["in_flight"] is not None or each["unknown"]["in_flight"]
    table = run(fleet, "queues", "--all")
    assert "jobs.image.interactive.v1" in table
    assert "results.v1" in table


def test_a_running_job_is_seen_where_it_runs_and_work_has_a_rate(fleet: Fleet):
    job = submit(fleet, "slow", delay_ms=60_000)
    fleet.wait_until(lambda: queue(fleet, CHATS)["rate"]["in_per_s"] > 0, "its coming is counted")
    fleet.wait_until(lambda: queue(fleet, CHATS)["in_flight"] == 1, "the job is in flight")
    (worker,) = workers(fleet)
    (running,) = worker["jobs"]
    assert (running["id"], running["lane"], running["operation"]) == (job["id"], "batch", "chat")
    assert running["model"] == "simulator/echo"
    assert running["running_s"] > 0
    assert worker["queues"][CHATS]["held"] == 1
    fleet.wait_until(lambda: job["id"] in run(fleet, "workers"), "the table shows it")
    fleet.wait_until(lambda: job["id"] in run(fleet, "workers", "--json"), "so does the JSON")
    assert fleet.json("POST", job["urls"]["cancel"])["status"] == "cancelled"
    fleet.wait_until(lambda: queue(fleet, CHATS)["rate"]["out_per_s"] > 0, "the end of it is counted")


def test_a_paused_queue_keeps_its_jobs_and_a_purge_cancels_them_all(fleet: Fleet, resumed: None):
    assert "Paused" in run(fleet, "queues", "pause", "jobs.chat.batch")
    jobs = [submit(fleet, f"waits {number}") for number in range(3)]
    fleet.wait_until(lambda: queue(fleet, CHATS)["depth"] == 3, "the jobs wait in the queue")
    seen = queue(fleet, CHATS)
    assert (seen["state"], seen["in_flight"]) == ("paused", 0)
    assert seen["oldest_age_s"] > 0
    run(fleet, "queues", "purge", CHATS, code=2)  # nobody is there to be asked
    assert CHATS in run(fleet, "queues", "purge", CHATS, "--confirm", "jobs.chat.batch", code=1)
    purged = json.loads(run(fleet, "queues", "purge", CHATS, "--confirm", CHATS, "--json"))
    assert (purged["purged"], purged["cancelled"], purged["more"]) == (3, 3, False)
    for job in jobs:
        seen = ended(fleet, job)
        assert (seen["status"], seen["error"]["code"]) == ("cancelled", "queue_purged")
    assert "Running" in run(fleet, "queues", "resume", CHATS)
    assert ended(fleet, submit(fleet, "after"))["status"] == "completed"
    assert [ended(fleet, job)["status"] for job in jobs] == ["cancelled"] * 3


def test_a_caller_who_waits_in_a_purged_queue_is_told_at_once(fleet: Fleet, resumed: None):
    admin(fleet, f"queues/{EMBEDDINGS}/pause", "POST")
    body = {"model": "simulator/embedding", "input": "hello"}
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(fleet.request, "POST", "/v1/embeddings", body)
        fleet.wait_until(lambda: queue(fleet, EMBEDDINGS)["depth"] == 1, "the call waits in its queue")
        assert "1 waiting callers told" in run(fleet, "queues", "purge", EMBEDDINGS, "--confirm", EMBEDDINGS)
        status, headers, answer = call.result(30)
    assert (status, json.loads(answer)["error"]["code"]) == (503, "queue_purged")
    job_id = headers["X-Job-Id"]
    fleet.wait_until(
        lambda: fleet.json("GET", f"/v1/jobs/{job_id}").get("status") == "cancelled", "the call is recorded"
    )


def test_a_draining_queue_refuses_new_work_and_finishes_what_it_has(fleet: Fleet, resumed: None):
    job = submit(fleet, "accepted", delay_ms=1_500)
    admin(fleet, f"queues/{CHATS}/drain", "POST")
    status, headers, answer = fleet.request(
        "POST", "/v1/jobs", {"operation": "chat", "lane": "batch", "input": chat("refused")}
    )
    assert (status, json.loads(answer)["error"]["code"]) == (503, "queue_draining")
    assert int(headers["Retry-After"]) > 0
    assert ended(fleet, submit(fleet, "another lane", lane="standard"))["status"] == "completed"
    assert "drained" in run(fleet, "queues", "drain", CHATS, "--wait")
    assert ended(fleet, job)["status"] == "completed"
    assert queue(fleet, CHATS)["state"] == "drained"
    admin(fleet, f"queues/{CHATS}/resume", "POST")
    assert ended(fleet, submit(fleet, "again"))["status"] == "completed"


def test_a_drained_worker_finishes_its_job_and_takes_none_until_it_resumes(fleet: Fleet, resumed: None):
    (worker,) = workers(fleet)
    running = submit(fleet, "runs", delay_ms=2_000)
    fleet.wait_until(lambda: workers(fleet)[0]["running"] == 1, "the job runs")
    assert "It is drain" in run(fleet, "workers", "drain", worker["name"])
    waits = submit(fleet, "waits")
    done = ended(fleet, running)
    assert (done["status"], done["ambiguous_attempts"]) == ("completed", 0)
    fleet.wait_until(lambda: workers(fleet)[0]["state"] == "drained", "the worker is drained")
    fleet.wait_until(lambda: queue(fleet, CHATS)["depth"] == 1, "the other job waits in the queue")
    assert queue(fleet, CHATS)["consumers"] == 0
    assert fleet.json("GET", waits["urls"]["self"])["status"] == "queued"
    run(fleet, "workers", "resume", worker["name"])
    assert ended(fleet, waits)["status"] == "completed"
    assert workers(fleet)[0]["name"] == worker["name"]


def test_dead_letters_are_listed_replayed_and_discarded(fleet: Fleet):
    async def break_two() -> None:
        async with backlog_of(fleet) as backlog:
            for body in (b"no job", b"no job \x1b[31meither"):
                await backlog.broker.publish("jobs.image.batch", Message(type="job.requested.v1", body=body))

    def dead() -> list[dict[str, Any]]:
        return list(admin(fleet, f"queues/{IMAGES}/dead-letters"))

    asyncio.run(break_two())
    fleet.wait_until(lambda: len(dead()) == 2, "both are dead")
    first, second = json.loads(run(fleet, "queues", "dead-letters", IMAGES, "--json"))
    assert first["reason"].startswith("malformed_message")
    assert {first["body_excerpt"], second["body_excerpt"]} == {"no job", "no job \x1b[31meither"}
    table = run(fleet, "queues", "dead-letters", IMAGES, "--reason", "MALFORMED", "-n", "5")
    assert first["id"] in table
    assert "\x1b" not in table
    assert "1 deleted" in run(fleet, "queues", "dead-letters", IMAGES, "discard", "--id", first["id"])
    assert "1 put back" in run(fleet, "queues", "dead-letters", IMAGES, "replay", "--reason", "malformed")
    fleet.wait_until(lambda: [each["id"] for each in dead()] not in ([], [second["id"]]), "it died again")
    assert "1 deleted" in run(fleet, "queues", "dead-letters", IMAGES, "discard", "--all")
    assert dead() == []


@on_one_broker
def test_only_an_operators_key_steers_the_fleet(fleet: Fleet):
    refused = run(fleet, "queues", "--api-key", fleet.api_key, code=77)
    assert "operator" in refused
    assert fleet.api_key not in refused
    made = run(fleet, "keys", "create", "--name", "second operator", "--operator").strip()
    assert "taking" in run(fleet, "workers", "--url", fleet.url, "--api-key", made)
    status, _, answer = fleet.request("GET", "/api/v1/admin/queues")
    envelope = json.loads(answer)
    assert (status, envelope["success"], envelope["error"]) == (403, False, "operator_required")


@on_one_broker
def test_what_operators_did_is_in_the_log_with_their_key(fleet: Fleet):
    admin(fleet, f"queues/{IMAGES}/resume", "POST")
    lines = (fleet.data_dir / "logs" / "ingress.log").read_text().splitlines()
    actions = [json.loads(line) for line in lines if '"operator action"' in line]
    last = actions[-1]
    assert (last["action"], last["target"]) == ("queue.resume", IMAGES)
    assert last["api_key_id"]
    assert last["request_id"]
