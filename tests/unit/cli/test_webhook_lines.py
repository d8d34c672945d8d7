"""What the commands about webhooks print, and which fleet they ask."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.cli.columns import columns
from services.cli.credentials import Credentials
from services.cli.data_dir import DataDir
from services.cli.errors import CommandError
from services.cli.fleet_api import FleetAddress
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


def test_columns_are_as_wide_as_their_widest_text():
    assert columns(("ID", "URL"), [("1", "a"), ("22222", "b")]) == "ID     URL\n1      a\n22222  b"
    assert columns(("ID", "URL"), []) == "ID  URL"


@pytest.fixture
def folder(tmp_path: Path) -> DataDir:
    folder = DataDir.at(tmp_path)
    Credentials("http://127.0.0.1:8080", "sk-local").write(folder)
    return folder


def test_a_folder_knows_its_fleet(folder: DataDir):
    found = FleetAddress.find(folder, url=None, api_key=None)
    assert (found.url, found.api_key) == ("http://127.0.0.1:8080", "sk-local")
    assert "sk-local" not in repr(found)
    assert FleetAddress.find(folder, url=None, api_key="sk-other").api_key == "sk-other"
    assert FleetAddress.find(folder, url="http://127.0.0.1:8080/v1/", api_key=None).api_key == "sk-local"


def test_a_folders_key_goes_to_no_other_fleet(folder: DataDir):
    with pytest.raises(CommandError, match="--api-key"):
        FleetAddress.find(folder, url="https://ai.example", api_key=None)
    found = FleetAddress.find(folder, url="https://ai.example", api_key="sk-theirs")
    assert (found.url, found.api_key) == ("https://ai.example", "sk-theirs")


def test_where_there_is_no_fleet_the_remedy_is_said(tmp_path: Path):
    with pytest.raises(CommandError, match="penstock up"):
        FleetAddress.find(DataDir.at(tmp_path), url=None, api_key=None)
