"""The fleet as its user meets it: start, look, stop, start again, two side by side."""

import json
import stat
import subprocess
from pathlib import Path

import openai
import pytest

from tests.support.fleet import PENSTOCK, Fleet, clean_environment, running_fleet

pytestmark = pytest.mark.e2e

SERVICES = {"ingress", "provider_worker", "results", "scheduler", "simulator"}


def chat(fleet: Fleet, text: str) -> str:
    with openai.OpenAI(base_url=f"{fleet.url}/v1", api_key=fleet.api_key) as client:
        answer = client.chat.completions.create(
            model="simulator/echo", messages=[{"role": "user", "content": text}]
        )
    return answer.choices[0].message.content or ""


def test_every_service_runs_and_the_credentials_are_private(fleet: Fleet) -> None:
    status = fleet.status()
    assert {entry["name"] for entry in status["services"]} >= SERVICES
    assert all(entry["state"] == "running" for entry in status["services"])
    mode = stat.S_IMODE((fleet.data_dir / "credentials.json").stat().st_mode)
    assert mode == 0o600


def test_the_whole_fleet_fits_into_its_memory(fleet: Fleet) -> None:
    assert 0 < fleet.status()["memory_mb"] <= 700


def test_the_printed_curl_line_works(fleet: Fleet) -> None:
    lines = fleet.output.splitlines()
    first = next(n for n, line in enumerate(lines) if line.lstrip().startswith("curl "))
    command = []
    for line in lines[first:]:
        command.append(line.strip().removesuffix("\\"))
        if not line.rstrip().endswith("\\"):
            break
    answer = subprocess.run(
        ["sh", "-c", " ".join(command)], capture_output=True, text=True, timeout=30, check=True
    )
    assert json.loads(answer.stdout)["choices"][0]["message"]["content"]


def test_readiness_names_every_dependency(fleet: Fleet) -> None:
    ready = fleet.json("GET", "/health/ready")
    assert ready["status"] == "ok"
    assert {"postgres", "broker", "redis"} <= set(ready["dependencies"])
    assert fleet.request("GET", "/health/live")[0] == 200
    assert fleet.request("GET", "/healthcheck")[0] == 200


def test_the_interface_is_described(fleet: Fleet) -> None:
    paths = fleet.json("GET", "/openapi.json")["paths"]
    assert {"/v1/chat/completions", "/v1/embeddings", "/v1/jobs", "/v1/jobs/{job_id}/events"} <= set(paths)
    status, headers, _ = fleet.request("GET", "/docs")
    assert (status, headers["content-type"].split(";")[0]) == (200, "text/html")


def test_the_logs_never_hold_a_prompt_or_a_key(fleet: Fleet) -> None:
    secret = "a very private sentence"
    assert chat(fleet, secret) == secret
    logs = [path.read_text() for path in (fleet.data_dir / "logs").iterdir()]
    assert logs
    assert not any(secret in text or fleet.api_key in text for text in logs)


def test_the_configuration_is_shown_with_its_sources_and_without_secrets(fleet: Fleet) -> None:
    shown = fleet.command("config", "show")
    assert shown.returncode == 0, shown.stderr
    assert "default" in shown.stdout
    assert fleet.api_key not in shown.stdout


def test_doctor_finds_nothing_wrong(fleet: Fleet) -> None:
    checked = fleet.command("doctor")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_a_second_start_in_the_same_folder_is_refused(fleet: Fleet) -> None:
    second = subprocess.run(
        [PENSTOCK, "up", "--port", "1", "--data-dir", fleet.data_dir],
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert second.returncode != 0
    assert "already" in (second.stdout + second.stderr)


def test_what_was_finished_and_what_was_queued_outlives_a_stop(tmp_path: Path) -> None:
    with running_fleet(tmp_path) as fleet:
        body = {"model": "simulator/echo", "messages": [{"role": "user", "content": "kept"}]}
        job = fleet.json("POST", "/v1/jobs", {"operation": "chat", "input": body})
        assert fleet.json("GET", f"{job['urls']['self']}?wait=30")["status"] == "completed"
        body["simulator"] = {"delay_ms": 3000}
        waiting = fleet.json("POST", "/v1/jobs", {"operation": "chat", "input": body})
        key = fleet.api_key
        assert fleet.stop() == 0
        fleet.start()
        assert fleet.api_key == key
        result = fleet.json("GET", job["urls"]["result"])
        assert result["choices"][0]["message"]["content"] == "kept"
        assert fleet.json("GET", f"{waiting['urls']['self']}?wait=60")["status"] == "completed"


def test_two_fleets_do_not_disturb_each_other(fleet: Fleet, tmp_path: Path) -> None:
    with running_fleet(tmp_path) as other:
        assert chat(other, "other") == "other"
        status, _, _ = other.request(
            "GET", "/v1/models", headers={"Authorization": f"Bearer {fleet.api_key}"}
        )
        assert status == 401
        assert other.stop() == 0
    assert chat(fleet, "still here") == "still here"


def test_a_detached_fleet_is_stopped_by_down(tmp_path: Path) -> None:
    base = tmp_path / "detached"
    base.mkdir()
    fleet = Fleet(base / "data", 0, clean_environment())
    from tests.support.fleet import free_port

    fleet.port = free_port()
    up = fleet.command("up", "--detach", "--port", str(fleet.port))
    try:
        assert up.returncode == 0, up.stdout + up.stderr
        assert chat(fleet, "in the back") == "in the back"
    finally:
        down = fleet.command("down")
    assert down.returncode == 0, down.stdout + down.stderr
    assert fleet.command("status").returncode != 0
