"""Jobs after their end: retried, cancelled and retried in bulk, erased."""

import json
import time

import pytest

from tests.e2e.test_jobs import events, submit
from tests.support.fleet import Fleet

pytestmark = pytest.mark.e2e


def test_a_failed_job_is_retried_under_its_id_and_its_events_go_on(fleet: Fleet) -> None:
    once = {"key": f"retried-{time.time_ns()}", "fail_times": 1}
    job = submit(fleet, "again", simulator=once, max_attempts=1)
    assert fleet.json("GET", f"{job['urls']['self']}?wait=30")["status"] == "failed"
    seen = events(fleet, job["urls"]["events"])
    again = fleet.json("POST", job["urls"]["retry"])
    assert (again["id"], again["attempt"]) == (job["id"], 2)
    done = fleet.json("GET", f"{job['urls']['self']}?wait=30")
    assert (done["status"], done["attempt"]) == ("completed", 2)
    more = events(fleet, job["urls"]["events"], last_event_id=str(seen[-1][0]))
    assert [kind for _, kind, _ in seen] == ["job.queued", "job.in_progress", "job.failed"]
    assert [kind for _, kind, _ in more] == ["job.retrying", "job.in_progress", "job.completed"]
    assert [sequence for sequence, _, _ in seen + more] == [1, 2, 3, 4, 5, 6]


def test_a_running_job_that_is_cancelled_and_retried_at_once_runs_to_its_end(fleet: Fleet) -> None:
    job = submit(fleet, "slow", simulator={"delay_ms": 1000})
    fleet.wait_until(
        lambda: fleet.json("GET", job["urls"]["self"])["status"] == "in_progress", "the job runs"
    )
    assert fleet.request("POST", job["urls"]["cancel"])[0] == 200
    assert fleet.request("POST", job["urls"]["retry"])[0] == 200
    done = fleet.json("GET", f"{job['urls']['self']}?wait=30")
    assert (done["status"], done["attempt"]) == ("completed", 2)


def test_running_and_waiting_jobs_are_cancelled_in_bulk_and_retried(fleet: Fleet) -> None:
    run = {"run": f"bulk-{time.time_ns()}"}
    jobs = [submit(fleet, "slow", simulator={"delay_ms": 700}, metadata=run) for _ in range(5)]
    fleet.wait_until(
        lambda: fleet.json("GET", jobs[0]["urls"]["self"])["status"] == "in_progress", "a job runs"
    )
    done = fleet.json("POST", "/v1/jobs/cancel", {"filter": {"metadata": run}})
    assert (done["count"], done["has_more"]) == (5, False)
    wanted = {"filter": {"metadata": run, "status": "cancelled"}}
    assert fleet.json("POST", "/v1/jobs/retry", wanted)["count"] == 5
    for job in jobs:
        assert fleet.json("GET", f"{job['urls']['self']}?wait=30")["status"] == "completed"


def test_the_contents_of_a_job_are_erased(fleet: Fleet) -> None:
    job = submit(fleet, "secret", retention=3600)
    done = fleet.json("GET", f"{job['urls']['self']}?wait=30")
    assert done["result_expires_at"] == pytest.approx(done["finished_at"] + 3600, abs=1)
    assert fleet.request("DELETE", job["urls"]["self"])[0] == 200
    status, _, raw = fleet.request("GET", job["urls"]["result"])
    assert (status, json.loads(raw)["error"]["code"]) == (410, "result_expired")
    assert fleet.json("GET", job["urls"]["self"])["usage"]["output_tokens"] > 0
