"""Webhook endpoints as a user has them: a receiver here, the official libraries, the command."""

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import openai
import pytest
import standardwebhooks

from tests.e2e.test_jobs import submit
from tests.support.fleet import PENSTOCK, Fleet
from tests.support.webhook_receiver import Hook, Receiver, receiving

pytestmark = pytest.mark.e2e
ENDPOINTS = "/v1/webhook_endpoints"
on_one_broker = pytest.mark.parametrize("fleet", ["embedded"], indirect=True, scope="session")
"""What concerns the command only is the same on the other."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def call(fleet: Fleet, method: str, path: str, body: Any = None, status: int = 200) -> dict[str, Any]:
    given, _, answer = fleet.request(method, path, body)
    assert given == status, answer
    return dict(json.loads(answer))


@contextmanager
def endpoint(fleet: Fleet, receiver: Receiver, *events: str) -> Iterator[dict[str, Any]]:
    """Have one; by default it hears nothing of the jobs of other tests, but of test events."""
    body = {"url": receiver.url, "events": list(events) or ["batch.*"]}
    made = call(fleet, "POST", ENDPOINTS, body, 201)
    yield made
    call(fleet, "DELETE", f"{ENDPOINTS}/{made['id']}")


def is_believed(hook: Hook, secret: str) -> bool:
    """Ask both official libraries; they agree."""
    beliefs = []
    try:
        standardwebhooks.Webhook(secret).verify(hook.body, hook.headers)
        beliefs.append(True)
    except standardwebhooks.WebhookVerificationError:
        beliefs.append(False)
    try:
        openai.OpenAI(api_key="unused", webhook_secret=secret).webhooks.unwrap(hook.body, hook.headers)
        beliefs.append(True)
    except openai.InvalidWebhookSignatureError:
        beliefs.append(False)
    assert len(set(beliefs)) == 1
    return beliefs[0]


def told_of(receiver: Receiver, job: dict[str, Any]) -> Hook:
    """Wait for what is about a job; others may end as well."""
    while True:
        hook = receiver.next()
        if json.loads(hook.body)["data"]["id"] == job["id"]:
            return hook


def delivered(fleet: Fleet, made: dict[str, Any], status: str = "delivered") -> list[dict[str, Any]]:
    path = f"{ENDPOINTS}/{made['id']}/deliveries"
    fleet.wait_until(
        lambda: not fleet.json("GET", f"{path}?status=pending")["data"], "everything was delivered"
    )
    return list(fleet.json("GET", f"{path}?status={status}")["data"])


def test_the_end_of_a_job_arrives_and_both_official_libraries_believe_it(fleet: Fleet, receiver: Receiver):
    receiver.status, receiver.body = 200, b"thank you"
    with endpoint(fleet, receiver, "job.*") as made:
        job = submit(fleet, "tell me")
        hook = told_of(receiver, job)
        assert is_believed(hook, made["secret"])
        assert not is_believed(Hook(hook.headers, hook.body + b" "), made["secret"])
        event = json.loads(hook.body)
        assert event["type"] == "job.completed"
        shown = fleet.json("GET", job["urls"]["self"])
        links = event["data"].pop("urls")
        assert all(shown[name] == value for name, value in event["data"].items())
        assert {"status", "usage", "metadata", "error"} <= event["data"].keys()
        assert links == {name: job["urls"][name] for name in ("self", "result")}
        by_message = {record["message_id"]: record for record in delivered(fleet, made)}
        record = by_message[hook.headers["webhook-id"]]
        assert record["attempts"] == 1
        assert record["last_attempt"]["response_status"] == 200
        assert record["last_attempt"]["response_excerpt"] == "thank you"
        assert record["last_attempt"]["duration_ms"] >= 0


def test_a_job_tells_its_own_webhook_signed_by_the_secret_of_the_tenants_jobs(
    fleet: Fleet, receiver: Receiver
):
    secret = call(fleet, "POST", "/v1/webhook_secret/rotate", {"overlap_s": 0})["secret"]
    unheard = submit(fleet, "unheard", webhook={"url": receiver.url, "events": ["job.failed"]})
    fleet.wait_until(
        lambda: fleet.json("GET", f"/v1/jobs/{unheard['id']}")["status"] == "completed", "the job is done"
    )
    job = submit(fleet, "tell me alone", webhook=receiver.url)
    hook = told_of(receiver, job)
    assert is_believed(hook, secret)
    event = json.loads(hook.body)
    assert (event["type"], event["data"]["id"]) == ("job.completed", job["id"])
    assert event["data"]["webhook"] == {"url": receiver.url, "events": None}


def test_a_job_may_not_name_a_url_that_the_guard_refuses(fleet: Fleet):
    for webhook, param in (("http://169.254.1.1:22/", "webhook"), ({"url": "ftp://x/"}, "webhook.url")):
        job = {"operation": "embedding", "input": {"model": "simulator/embedding", "input": "x"}}
        answer = call(fleet, "POST", "/v1/jobs", {**job, "webhook": webhook}, 422)
        assert (answer["error"]["code"], answer["error"]["param"]) == ("url_not_allowed", param)


def test_during_a_rotation_either_secret_verifies_and_without_overlap_the_new_one_alone(
    fleet: Fleet, receiver: Receiver
):
    with endpoint(fleet, receiver) as made:
        path = f"{ENDPOINTS}/{made['id']}"
        second = call(fleet, "POST", f"{path}/rotate-secret")["secret"]
        call(fleet, "POST", f"{path}/test", status=202)
        hook = receiver.next()
        assert json.loads(hook.body)["type"] == "webhook_endpoint.test"
        assert is_believed(hook, made["secret"])
        assert is_believed(hook, second)
        third = call(fleet, "POST", f"{path}/rotate-secret", {"overlap_s": 0})["secret"]
        call(fleet, "POST", f"{path}/test", status=202)
        hook = receiver.next()
        assert is_believed(hook, third)
        assert not is_believed(hook, second)
        assert not is_believed(hook, made["secret"])


def test_a_redelivery_comes_under_the_same_id(fleet: Fleet, receiver: Receiver):
    with endpoint(fleet, receiver) as made:
        path = f"{ENDPOINTS}/{made['id']}"
        test = call(fleet, "POST", f"{path}/test", status=202)
        first = receiver.next()
        delivered(fleet, made)
        call(fleet, "POST", f"{path}/deliveries/{test['id']}/redeliver", status=202)
        again = receiver.next()
        assert again.headers["webhook-id"] == first.headers["webhook-id"] == test["message_id"]
        assert again.body == first.body
        assert is_believed(again, made["secret"])
        (record,) = delivered(fleet, made)
        assert record["attempts"] == 2
        shown = fleet.json("GET", f"{path}/deliveries/{test['id']}")
        (earlier,) = shown["earlier_attempts"]
        assert (earlier["response_status"], earlier["error"]) == (204, None)
        assert earlier["at"] <= shown["last_attempt"]["at"]


def test_a_receiver_that_is_gone_disables_its_endpoint_until_it_is_enabled(fleet: Fleet, receiver: Receiver):
    receiver.status = 410
    with endpoint(fleet, receiver) as made:
        path = f"{ENDPOINTS}/{made['id']}"
        call(fleet, "POST", f"{path}/test", status=202)
        receiver.next()
        fleet.wait_until(lambda: not fleet.json("GET", path)["enabled"], "the endpoint is disabled")
        assert fleet.json("GET", path)["disabled_reason"] == "gone"
        (record,) = delivered(fleet, made, "failed")
        assert record["last_attempt"]["response_status"] == 410
        receiver.status = 204
        assert call(fleet, "PATCH", path, {"enabled": True})["enabled"]
        again = call(fleet, "POST", f"{path}/redeliver", {"type": "webhook_endpoint.test"}, 202)
        assert again["redelivered"] == 1
        assert receiver.next().headers["webhook-id"] == record["message_id"]


@contextmanager
def listener(fleet: Fleet, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [PENSTOCK, "webhooks", "listen", *arguments],
        env={**fleet.environment, "PENSTOCK_DATA_DIR": str(fleet.data_dir)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def said(process: "subprocess.Popen[str]", beginning: str) -> str:
    """Read what the command says beside the deliveries, up to a line that begins like this."""
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if line.startswith(beginning):
            return line
    raise AssertionError("".join(lines))


def listeners(fleet: Fleet) -> list[str]:
    found = fleet.json("GET", ENDPOINTS)["data"]
    return [one["id"] for one in found if one["description"] == "penstock webhooks listen"]


def test_the_listener_shows_verifies_and_hands_on_and_leaves_nothing_behind(fleet: Fleet, receiver: Receiver):
    with listener(fleet, "--event", "job.*", "--forward-to", receiver.url) as process:
        secret = said(process, "What is handed on").split()[7].rstrip(",")
        said(process, "Listening for job.*")
        assert len(listeners(fleet)) == 1
        job = submit(fleet, "watch me")
        assert is_believed(told_of(receiver, job), secret)
        assert process.stdout is not None
        line = next(line for line in process.stdout if job["id"] in line)
        assert "job.completed" in line
        assert "  verified  -> 204  " in line
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert listeners(fleet) == []


@on_one_broker
def test_the_next_listener_removes_what_a_killed_one_left(fleet: Fleet):
    with listener(fleet, "--event", "batch.*", "--json") as process:
        said(process, "Listening for batch.*")
        left = listeners(fleet)
        process.kill()
        process.wait(20)
        assert listeners(fleet) == left
    with listener(fleet, "--event", "batch.*", "--json") as process:
        said(process, "Listening for batch.*")
        (here,) = listeners(fleet)
        assert here not in left
        test = fleet.command("webhooks", "test", here, "--json")
        assert test.returncode == 0, test.stderr
        assert process.stdout is not None
        shown = json.loads(process.stdout.readline())
        assert (shown["type"], shown["verified"]) == ("webhook_endpoint.test", True)
        assert shown["id"] == json.loads(test.stdout)[0]["message_id"]
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    assert listeners(fleet) == []


@on_one_broker
def test_the_command_lists_and_sends_again(fleet: Fleet, receiver: Receiver):
    receiver.status = 410
    with endpoint(fleet, receiver) as made:
        assert fleet.command("webhooks", "test", made["id"]).returncode == 1
        receiver.next()
        listed = fleet.command("webhooks", "endpoints")
        assert f"{made['id']}  disabled (gone)  batch.*  {receiver.url}" in listed.stdout
        receiver.status = 204
        call(fleet, "PATCH", f"{ENDPOINTS}/{made['id']}", {"enabled": True})
        again = fleet.command("webhooks", "redeliver", made["id"])
        assert again.stdout == "1 are sent again.\n"
        receiver.next()
        (record,) = delivered(fleet, made)
        shown = fleet.command("webhooks", "deliveries", made["id"], "--status", "delivered")
        assert record["id"] in shown.stdout
        assert fleet.command("webhooks", "redeliver", record["id"]).stdout == "It is sent again.\n"
        assert receiver.next().headers["webhook-id"] == record["message_id"]
        wrong = fleet.command("webhooks", "deliveries", "--status", "lost")
        assert (wrong.returncode, wrong.stdout) == (1, "")
        assert "'status' must be one of" in wrong.stderr
