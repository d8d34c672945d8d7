"""What ``penstock webhooks listen`` prints of a delivery."""

import json
from datetime import UTC, datetime

from services.cli.listening.received import SHORT, Received

AT = datetime(2026, 1, 31, 12, 0, 5, tzinfo=UTC)
HEADERS = {"webhook-id": "msg_1"}


def test_a_line_says_what_came_and_whether_it_is_genuine():
    body = b'{"type":"job.completed","data":{"id":"job_1"}}'
    line = Received(at=AT, headers=HEADERS, body=body).line()
    assert line.endswith('job.completed           msg_1  verified  {"id":"job_1"}')
    forged = Received(at=AT, headers=HEADERS, body=body, objection="no signature is by this secret").line()
    assert "  NOT VERIFIED: no signature is by this secret  " in forged
    behind = Received(at=AT, headers=HEADERS, body=body, forwarded="502").line()
    assert "  verified  -> 502  " in behind


def test_a_line_is_one_line_whatever_came():
    line = Received(at=AT, headers={}, body=b'\xff\x1b[31m\n"type"' + b"x" * 10_000).line()
    assert line.isprintable()
    assert "  ?  " in line
    assert len(line) < SHORT + 80
    body = json.dumps({"type": "\x1b[2J" + "y" * 10_000}).encode()
    line = Received(at=AT, headers={"webhook-id": "\x1b[31m"}, body=body).line()
    assert line.isprintable()
    assert len(line) < 2 * SHORT + 80


def test_a_record_is_json_with_the_whole_body():
    record = json.loads(Received(at=AT, headers=HEADERS, body=b'{"type":"a","n":[1]}').record())
    assert record == {
        "time": "2026-01-31T12:00:05+00:00",
        "type": "a",
        "id": "msg_1",
        "verified": True,
        "objection": None,
        "forwarded": None,
        "body": {"type": "a", "n": [1]},
    }
    assert json.loads(Received(at=AT, headers={}, body=b"\xff").record())["body"] == "\ufffd"
