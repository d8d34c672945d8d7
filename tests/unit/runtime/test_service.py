"""A service as the process that an operator starts and stops."""

import http.client
import json
import resource
import signal
import socket
import subprocess
import sys
import time

import pytest

from shared.runtime.open_files import MOST
from tests.support.fleet import free_port

PROGRAM = """
from contextlib import asynccontextmanager
import structlog
from shared.config.settings import ServiceSettings
from shared.runtime.health import Health
from shared.runtime.service import main

@asynccontextmanager
async def running(settings):
    %s
    yield Health()
    structlog.get_logger().info("handed back")

main("demo", ServiceSettings, running)
"""
ENVIRONMENT = {
    "PENSTOCK_SECRET_KEY": "0123456789abcdef0123456789abcdef",
    "PENSTOCK_BROKER__URL": "amqp://broker",
    "PENSTOCK_POSTGRES__URL": "postgresql://db",
    "PENSTOCK_REDIS__URL": "redis://redis",
    "PENSTOCK_OBJECTS__URL": "memory:///",
}


def started(tmp_path, start="pass", **environment):
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM % start],
        env=ENVIRONMENT | {"PENSTOCK_CONFIG_DIR": str(tmp_path)} | environment,
        stderr=subprocess.PIPE,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_a_service_in_order(tmp_path, number):
    with started(tmp_path) as process:
        ready = json.loads(process.stderr.readline())
        process.send_signal(number)
        events = [json.loads(line)["event"] for line in process.stderr]
        assert process.wait(10) == 0
    assert (ready["event"], ready["service"]) == ("ready", "demo")
    assert ready["admin_port"] > 0
    assert events == ["stopping", "handed back", "stopped"]


def test_a_service_may_open_more_files_than_a_shell_gives_it(tmp_path):
    say = "import resource as r; structlog.get_logger().info('', soft=r.getrlimit(r.RLIMIT_NOFILE)[0])"
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
    try:
        process = started(tmp_path, say)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    with process:
        soft = json.loads(process.stderr.readline())["soft"]
        process.terminate()
    assert soft == min(before[1], MOST)


def test_a_configuration_that_cannot_work_ends_with_its_own_code(tmp_path):
    with started(tmp_path, PENSTOCK_BROKER__URL="http://u:canary@broker") as process:
        text = process.stderr.read().decode()
        assert process.wait(10) == 78
    assert "broker.url: must be a URL that begins with one of amqp" in text
    assert "canary" not in text
    assert "Traceback" not in text


def test_a_failure_at_the_start_is_one_line_and_another_code(tmp_path):
    with started(tmp_path, start="raise RuntimeError('boom')") as process:
        [line] = [json.loads(line) for line in process.stderr]
        assert process.wait(10) == 1
    assert (line["event"], line["error"]) == ("crashed", "RuntimeError: boom")


def test_a_port_that_is_taken_is_one_line_and_its_own_code(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with started(tmp_path, PENSTOCK_ADMIN__PORT=port) as process:
            [line] = [json.loads(line) for line in process.stderr]
            assert process.wait(10) == 69
    assert (line["event"], line["service"]) == ("cannot listen", "demo")
    assert f"127.0.0.1:{port}" in line["reason"]
    assert "exception" not in line


def test_a_service_that_waits_for_its_servers_is_alive_not_ready_and_can_be_stopped(tmp_path):
    port = free_port()
    waiting = "import asyncio; await asyncio.Event().wait()"
    with started(tmp_path, start=waiting, PENSTOCK_ADMIN__PORT=str(port)) as process:
        assert once_it_answers(port, "/health/live")[0] == 200
        status, body = once_it_answers(port, "/health/ready")
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        [line] = [json.loads(line) for line in process.stderr]
    assert (status, list(body["dependencies"])) == (503, ["start"])
    assert line["event"] == "stopped"


def once_it_answers(port, path):
    end = time.monotonic() + 20
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        except ConnectionError:
            assert time.monotonic() < end
            time.sleep(0.02)
        finally:
            connection.close()
