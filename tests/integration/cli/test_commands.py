"""The command as its user runs it, where no fleet can start or none runs."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.fleet import clean_environment


def penstock(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = clean_environment({"PENSTOCK_DATA_DIR": str(folder)} | variables)
    return subprocess.run(
        [sys.executable, "-m", "services.cli", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_port_in_use_is_said_before_anything_starts(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        up = penstock(tmp_path / "data", "up", PENSTOCK_PORT=port)
    assert up.returncode == 1
    assert f"Port {port} on 127.0.0.1 is in use" in up.stderr
    assert "Traceback" not in up.stderr
    assert not (tmp_path / "data" / "postgres").exists()


@pytest.mark.parametrize("option", [[], ["--detach"]])
def test_a_database_that_does_not_answer_is_one_clear_message(tmp_path, option):
    url = "postgresql://nobody@127.0.0.1:1/none"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    up = penstock(
        tmp_path / "data",
        "up",
        *option,
        PENSTOCK_PORT=port,
        PENSTOCK_POSTGRES__URL=url,
        PENSTOCK_REDIS__URL="redis://127.0.0.1:1",
    )
    assert up.returncode == 1
    assert "PostgreSQL cannot be used" in up.stderr
    assert "Traceback" not in up.stderr


def test_a_wrong_setting_ends_with_the_code_for_it(tmp_path):
    up = penstock(tmp_path / "data", "up", PENSTOCK_BROKER__URL="http://oops")
    assert up.returncode == 78
    assert "PENSTOCK_BROKER__URL" in up.stderr


def test_without_a_fleet_status_says_so(tmp_path):
    status = penstock(tmp_path / "data", "status", "--json")
    assert status.returncode == 3
    assert json.loads(status.stdout)["running"] is False
    assert penstock(tmp_path / "data", "down").returncode == 0
    assert penstock(tmp_path / "data", "logs").returncode == 1


def test_doctor_names_an_unreachable_server_and_an_unknown_variable(tmp_path):
    doctor = penstock(
        tmp_path / "data",
        "doctor",
        "--json",
        PENSTOCK_MONGO__URL="mongodb://127.0.0.1:1/x",
        PENSTOCK_REDIS__URL="redis://127.0.0.1:1",
        PENSTOCK_POSTGRES__URL="postgresql://nobody@127.0.0.1:1/none",
        PENSTOCK_BROKERR__URL="oops",
    )
    assert doctor.returncode == 1
    findings = {finding["check"]: finding for finding in json.loads(doctor.stdout)}
    assert {findings[name]["state"] for name in ("mongo", "redis", "database")} == {"wrong"}
    assert "PENSTOCK_BROKERR__URL" in findings["configuration"]["detail"]


def test_serve_refuses_a_service_that_does_not_exist(tmp_path):
    serve = penstock(tmp_path / "data", "serve", "ingres")
    assert serve.returncode == 2
    assert "ingress" in serve.stderr


def test_the_configuration_is_shown_with_its_sources(tmp_path):
    shown = penstock(
        tmp_path / "data",
        "config",
        "show",
        "--service",
        "simulator",
        "--json",
        PENSTOCK_SIMULATOR__PORT="8099",
    )
    assert shown.returncode == 0, shown.stderr
    rows = {row["path"]: row for row in json.loads(shown.stdout)}
    assert rows["simulator.port"]["source"] == "environment PENSTOCK_SIMULATOR__PORT"
    assert rows["simulator.host"]["source"] == "default"


def test_steering_a_fleet_needs_a_fleet_and_a_key_and_says_which_is_missing(tmp_path):
    folder = tmp_path / "data"
    nowhere = penstock(folder, "queues")
    assert (nowhere.returncode, "penstock up" in nowhere.stderr) == (3, True)
    unknown = penstock(folder, "workers", PENSTOCK_URL="http://127.0.0.1:1")
    assert (unknown.returncode, "--api-key" in unknown.stderr) == (77, True)
    away = penstock(folder, "workers", PENSTOCK_URL="http://127.0.0.1:1", PENSTOCK_OPERATOR_KEY="k")
    assert (away.returncode, "http://127.0.0.1:1" in away.stderr) == (3, True)
    wrong = penstock(folder, "queues", "--url", "ftp://x", "--api-key", "k")
    assert wrong.returncode == 2
