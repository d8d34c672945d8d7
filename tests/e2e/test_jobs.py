"""Jobs over REST: submitted, polled, long-polled, streamed and resumed, cancelled."""

import http.client
import json
import time

import pytest

from tests.support.fleet import Fleet

pytestmark = pytest.mark.e2e


def submit(fleet: Fleet, text: str, **more) -> dict:
    simulator = more.pop("simulator", {})
    model = more.pop("model", "simulator/echo")
    body = {"model": model, "messages": [{"role": "user", "content": text}], "simulator": simulator}
    body |= more.pop("extra", {})
    status, headers, raw = fleet.request("POST", "/v1/jobs", {"operation": "chat", "input": body, **more})
    job = json.loads(raw)
    assert status == 202, job
    assert headers["Location"] == f"/v1/jobs/{job['id']}"
    return job


def events(
    fleet: Fleet, path: str, last_event_id: str | None = None, limit: int | None = None
) -> list[tuple]:
    """Read a stream of server-sent events to its end, or ``limit`` events of it."""
    connection = http.client.HTTPConnection("127.0.0.1", fleet.port, timeout=60)
    headers = {"Authorization": f"Bearer {fleet.api_key}"}
    if last_event_id:
        headers["Last-Event-ID"] = last_event_id
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    assert answer.status == 200
    found: list[tuple] = []
    event: dict[str, str] = {}
    for line in answer:
        text = line.decode().rstrip("\n")
        if not text and "id" in event:
            found.append((int(event["id"]), event["event"], json.loads(event["data"])))
            event = {}
            if limit is not None and len(found) == limit:
                break
        elif text and not text.startswith(":"):
            name, _, value = text.partition(": ")
            event[name] = value
    connection.close()
    return found


def content(found: list[tuple]) -> str:
    chunks = [chunk for _, kind, data in found if kind == "job.delta" for chunk in data["chunks"]]
    return "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks if c["choices"])


def test_a_job_is_polled_to_its_result(fleet: Fleet) -> None:
    job = submit(fleet, "by and by", metadata={"order": "17"})
    assert job["status"] == "queued"
    fleet.wait_until(
        lambda: fleet.json("GET", job["urls"]["self"])["status"] == "completed", "the job is completed"
    )
    done = fleet.json("GET", job["urls"]["self"])
    assert done["metadata"] == {"order": "17"}
    assert done["usage"]["output_tokens"] > 0
    assert done["usage"]["cost_microusd"] == 0
    status, _, raw = fleet.request("GET", job["urls"]["result"])
    assert status == 200
    assert json.loads(raw)["choices"][0]["message"]["content"] == "by and by"


def test_a_long_poll_answers_as_soon_as_the_job_ends(fleet: Fleet) -> None:
    job = submit(fleet, "slow", simulator={"delay_ms": 700})
    began = time.monotonic()
    done = fleet.json("GET", f"{job['urls']['self']}?wait=30")
    assert done["status"] == "completed"
    assert time.monotonic() - began < 15


def test_a_result_that_is_not_there_yet_is_a_conflict_and_says_when_to_come_again(fleet: Fleet) -> None:
    job = submit(fleet, "slow", simulator={"delay_ms": 1500})
    status, headers, raw = fleet.request("GET", job["urls"]["result"])
    assert status == 409
    assert json.loads(raw)["error"]["code"]
    assert int(headers["Retry-After"]) >= 1
    fleet.json("GET", f"{job['urls']['self']}?wait=30")


def test_an_inference_route_becomes_a_job_when_the_caller_prefers_it(fleet: Fleet) -> None:
    body = {"model": "simulator/echo", "messages": [{"role": "user", "content": "later"}]}
    status, headers, raw = fleet.request("POST", "/v1/chat/completions", body, {"Prefer": "respond-async"})
    assert status == 202
    assert headers["Preference-Applied"].startswith("respond-async")
    done = fleet.json("GET", f"{json.loads(raw)['urls']['self']}?wait=30")
    assert done["status"] == "completed"


def test_a_streamed_job_is_resumed_from_any_event_without_loss_or_repetition(fleet: Fleet) -> None:
    words = " ".join(f"w{n}" for n in range(60))
    job = submit(fleet, words, extra={"stream": True}, simulator={"tokens_per_s": 60})
    first = events(fleet, job["urls"]["events"], limit=4)
    rest = events(fleet, job["urls"]["events"], last_event_id=str(first[-1][0]))
    both = first + rest
    assert [sequence for sequence, _, _ in both] == list(range(1, len(both) + 1))
    assert both[-1][1] == "job.completed"
    assert content(both) == words
    assert content(events(fleet, job["urls"]["events"])) == words


def test_a_running_job_is_cancelled_once_and_its_call_is_aborted(fleet: Fleet) -> None:
    job = submit(fleet, "never", simulator={"hang": True})
    fleet.wait_until(
        lambda: fleet.json("GET", job["urls"]["self"])["status"] == "in_progress", "the job runs"
    )
    status, _, raw = fleet.request("POST", job["urls"]["cancel"])
    assert (status, json.loads(raw)["status"]) == (200, "cancelled")
    assert fleet.request("POST", job["urls"]["cancel"])[0] == 409
    assert fleet.json("GET", job["urls"]["self"])["status"] == "cancelled"
    assert [kind for _, kind, _ in events(fleet, job["urls"]["events"])] == [
        "job.queued",
        "job.in_progress",
        "job.cancelled",
    ]


def test_a_job_that_fails_for_good_says_why(fleet: Fleet) -> None:
    job = submit(fleet, "x", simulator={"status": 400})
    done = fleet.json("GET", f"{job['urls']['self']}?wait=30")
    assert done["status"] == "failed"
    assert done["error"]["code"] == "provider_rejected"
    status, _, raw = fleet.request("GET", job["urls"]["result"])
    assert status == 400
    assert json.loads(raw)["error"]["code"] == "provider_rejected"


def test_a_job_whose_provider_recovers_is_tried_again(fleet: Fleet) -> None:
    job = submit(
        fleet, "again", simulator={"key": f"recovers-{time.time_ns()}", "fail_times": 1}, max_attempts=3
    )
    done = fleet.json("GET", f"{job['urls']['self']}?wait=30")
    assert (done["status"], done["attempt"]) == ("completed", 2)


def test_a_job_past_its_deadline_expires(fleet: Fleet) -> None:
    job = submit(fleet, "late", simulator={"hang": True}, deadline=1)
    done = fleet.json("GET", f"{job['urls']['self']}?wait=30")
    assert done["status"] == "expired"


def test_jobs_are_listed_newest_first_in_pages(fleet: Fleet) -> None:
    made = [submit(fleet, f"n{n}", metadata={"page": "yes"})["id"] for n in range(5)]
    page = fleet.json("GET", "/v1/jobs?limit=3")
    assert [job["id"] for job in page["data"]] == made[:1:-1]
    assert page["has_more"]
    after = fleet.json("GET", f"/v1/jobs?limit=2&after={page['last_id']}")
    assert [job["id"] for job in after["data"]] == made[1::-1]


def test_a_synchronous_call_is_recorded_as_a_job(fleet: Fleet) -> None:
    body = {"model": "simulator/echo", "messages": [{"role": "user", "content": "noted"}]}
    _, headers, _ = fleet.request("POST", "/v1/chat/completions", body)
    path = f"/v1/jobs/{headers['X-Job-Id']}"
    fleet.wait_until(lambda: fleet.request("GET", path)[0] == 200, "the call is recorded")
    job = fleet.json("GET", path)
    assert (job["status"], job["model"], job["lane"]) == ("completed", "simulator/echo", "interactive")
