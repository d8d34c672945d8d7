"""The logs of a process of their own, as whoever collects them reads them."""

import json
import os
import pty
import subprocess
import sys

import pytest

HEAD = """
import logging, structlog
from shared.config.settings import LogSettings
from shared.observability.logs import configure_logs
from shared.observability.tracing import span
configure_logs(LogSettings(**{settings}), service="worker")
log = structlog.get_logger()
"""


def run(program, *, check=True, **settings):
    """Run a program that logs; returns its lines on standard error, parsed."""
    text = HEAD.replace("{settings}", repr(settings)) + program
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, check=check, timeout=60)
    assert done.stdout == b""
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_a_line_has_the_time_level_service_and_ids():
    [line] = run(
        "parent = {'traceparent': '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'}\n"
        "with structlog.contextvars.bound_contextvars(job_id='j', tenant_id='t', request_id='r'):\n"
        "    with span('x', parent=parent): log.info('done', input_tokens=7)\n"
    )
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "level": "info",
        "service": "worker",
        "event": "done",
        "job_id": "j",
        "tenant_id": "t",
        "request_id": "r",
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
        "input_tokens": 7,
    }


def test_secrets_and_bodies_are_masked_by_name_and_inside_texts():
    [line] = run(
        "from pydantic import SecretStr\n"
        "log.info('call', authorization='Bearer canary-1', headers={'X-Api-Key': 'canary-2', 'n': [1]},\n"
        "    openai_api_key='canary-3', url='amqp://u:canary-4@h/', body='canary-5', prompt='canary-6',\n"
        "    note='Incorrect API key provided: sk-canary-7***x', raw=b'canary-8', access_token='canary-9',\n"
        "    typed=SecretStr('canary-10'), deep=[{'a': {'password': 'canary-11'}}], max_tokens=5)\n"
    )
    assert "canary" not in json.dumps(line)
    assert (line["url"], line["max_tokens"]) == ("amqp://u:********@h/", 5)
    assert line["headers"] == {"X-Api-Key": "********", "n": [1]}


def test_libraries_log_the_same_way_and_never_below_info():
    lines = run(
        "library = logging.getLogger('aio_pika.robust')\n"
        "library.debug('frame with a body')\n"
        "library.warning('lost %s', 'amqp://u:canary@h/')\n"
        "logging.getLogger('uvicorn.access').info('GET /')\n"
        "logging.getLogger('LiteLLM').info('request: a prompt')\n"
        "log.debug('ours')\n",
        level="debug",
    )
    assert [(line["level"], line["event"]) for line in lines] == [
        ("warning", "lost amqp://u:********@h/"),
        ("debug", "ours"),
    ]
    assert lines[0]["logger"] == "aio_pika.robust"


def test_the_level_is_respected():
    lines = run("log.info('no'); log.warning('yes'); logging.getLogger('x').info('no')", level="warning")
    assert [line["event"] for line in lines] == ["yes"]


def test_a_crash_is_one_line_without_local_variables():
    [line] = run("def f():\n    prompt = 'can' + 'ary'\n    raise RuntimeError('boom')\nf()\n", check=False)
    assert (line["level"], line["event"], line["error"]) == ("critical", "crashed", "RuntimeError: boom")
    assert "RuntimeError: boom" in line["exception"]
    assert "canary" not in json.dumps(line)


def test_what_json_cannot_say_is_described_and_not_an_error():
    [line] = run("log.info('odd', value={1: object, (2,): {3}}, big=2**70, half=chr(0xD800))")
    assert line["event"] == "odd"


def test_a_record_that_cannot_be_formatted_does_not_stop_the_program():
    text = HEAD.replace("{settings}", "{}") + "logging.getLogger('x').warning('%d', 'no'); log.info('on')"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, check=True, timeout=60)
    assert json.loads(done.stderr.splitlines()[-1])["event"] == "on"


@pytest.mark.parametrize(("fmt", "readable"), [("auto", True), ("json", False), ("console", True)])
def test_a_terminal_gets_a_readable_form_unless_told_otherwise(fmt, readable):
    ours, theirs = pty.openpty()
    text = HEAD.replace("{settings}", repr({"format": fmt})) + (
        "def f(prompt):\n    raise ValueError('boom')\n"
        "try: f('can' + 'ary')\n"
        "except ValueError: log.exception('failed', api_key='canary')\n"
    )
    subprocess.run([sys.executable, "-c", text], stderr=theirs, check=True, timeout=60)
    os.close(theirs)
    seen = os.read(ours, 65_536).decode()
    os.close(ours)
    assert seen.startswith("{") is not readable
    assert "boom" in seen
    assert "canary" not in seen
