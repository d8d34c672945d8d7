"""What the supervisor of a fleet relies on, on each real engine."""

import os
import signal
import subprocess
import sys

import pytest

from shared.runtime.engines.errors import EngineStartError
from shared.runtime.engines.identity import Identity
from shared.runtime.engines.waiting import wait_for

SUPERVISOR = """
import os, signal, sys
from pathlib import Path
from tests.integration.engines.subjects import POSTGRES, VALKEY
subject = {"postgres": POSTGRES, "valkey": VALKEY}[sys.argv[1]]
engine = subject.make(Path(sys.argv[2]))
engine.start()
subject.write(engine.url, "before the kill")
os.kill(os.getpid(), signal.SIGKILL)
"""


def kill(engine) -> None:
    os.kill(engine.pid, signal.SIGKILL)
    assert wait_for(lambda: not engine.running(), timeout_s=10)


def test_what_was_written_survives_a_stop_and_a_start(subject, make, tmp_path):
    engine = make(tmp_path)
    assert not engine.running()
    engine.start()
    url = engine.url
    subject.write(url, "kept")
    engine.stop()
    assert not engine.running()
    assert engine.pid is None

    engine.start()
    assert engine.url == url
    assert subject.read(url) == "kept"


def test_what_was_committed_survives_kill_9(subject, make, tmp_path):
    engine = make(tmp_path)
    engine.start()
    for round_number in range(3):
        if round_number == 0:
            subject.write(engine.url, "kept")
        kill(engine)
        engine.start()
        assert subject.read(engine.url) == "kept"


def test_starting_twice_changes_nothing_and_stopping_twice_neither(make, tmp_path):
    engine = make(tmp_path)
    engine.start()
    pid = engine.pid
    engine.start()
    assert engine.pid == pid
    engine.stop()
    engine.stop()


def test_another_supervisor_finds_the_server_and_stops_it(subject, make, tmp_path):
    first, second = make(tmp_path), make(tmp_path)
    first.start()
    second.start()
    assert second.pid == first.pid
    assert second.url == first.url
    second.stop()
    assert not first.running()


def test_the_server_outlives_a_killed_supervisor_and_is_taken_over(subject, make, tmp_path, pytestconfig):
    engine = make(tmp_path)
    supervisor = subprocess.run(
        [sys.executable, "-c", SUPERVISOR, engine.name, str(tmp_path)],
        cwd=pytestconfig.rootpath,
        check=False,
        timeout=60,
    )
    assert supervisor.returncode == -signal.SIGKILL
    pid = engine.pid
    assert pid is not None
    engine.start()
    assert engine.pid == pid
    assert subject.read(engine.url) == "before the kill"


def test_a_pid_that_now_belongs_to_another_process_stops_no_start(subject, make, tmp_path):
    engine = make(tmp_path)
    engine.start()
    subject.write(engine.url, "kept")
    left_behind = engine._pid_file.read_text()
    kill(engine)
    bystander = Identity.owning(engine._home).popen(["/bin/sleep", "600"])
    try:
        engine._pid_file.write_text("\n".join([str(bystander.pid), *left_behind.split("\n")[1:]]))
        assert not engine.running()
        engine.start()
        assert subject.read(engine.url) == "kept"
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_two_fleets_side_by_side_do_not_see_each_other(subject, make, tmp_path):
    one, two = make(tmp_path / "one"), make(tmp_path / "two")
    one.start()
    two.start()
    subject.write(one.url, "one's")
    assert subject.read(two.url) is None
    one.stop()
    assert subject.read(two.url) is None


def test_it_works_below_a_folder_that_is_closed_to_others_and_stays_so(subject, make, tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    inner = closed / "inner"
    inner.mkdir(mode=0o700)
    engine = make(inner)
    engine.start()
    subject.write(engine.url, "kept")
    kill(engine)
    engine.start()
    assert subject.read(engine.url) == "kept"
    for folder in (closed, inner):
        assert folder.stat().st_mode & 0o777 == 0o700
        assert folder.stat().st_uid == os.geteuid()


def test_nobody_else_may_enter_its_data_or_its_socket_folder(make, tmp_path):
    engine = make(tmp_path)
    engine.start()
    for folder in (engine._home, engine._sockets.path):
        assert folder.stat().st_mode & 0o077 == 0


def test_a_server_that_hangs_is_stopped_by_force_within_the_bound(subject, make, tmp_path, monkeypatch):
    engine = make(tmp_path)
    engine.start()
    subject.write(engine.url, "kept")
    monkeypatch.setattr(subject.engine, "stop_signals", ((signal.SIGTERM, 0.2),))
    os.kill(engine.pid, signal.SIGSTOP)
    engine.stop()
    assert not engine.running()
    engine.start()
    assert subject.read(engine.url) == "kept"


def test_a_failed_start_says_why_in_the_servers_own_words_and_leaves_nothing(make, tmp_path, monkeypatch):
    engine = make(tmp_path)
    argv = engine._argv()
    option = ["-c", "no_such_setting=1"] if engine.name == "postgres" else ["--no-such-setting", "1"]
    monkeypatch.setattr(engine, "_argv", lambda: [*argv, *option])
    with pytest.raises(
        EngineStartError, match=r"did not start: it ended with status 1\n(.|\n)*no.such.setting"
    ):
        engine.start()
    assert not engine.running()
    monkeypatch.undo()
    engine.start()
