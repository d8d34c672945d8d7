"""What is PostgreSQL's own."""

import os
import signal

import psycopg
import pytest

from shared.runtime.engines.errors import EngineError
from shared.runtime.engines.postgres import EmbeddedPostgres
from shared.runtime.engines.waiting import wait_for


@pytest.fixture
def engine(tmp_path, stopped_afterwards):
    return stopped_afterwards(EmbeddedPostgres(tmp_path / "data", tmp_path / "run"))


def test_vectors_are_stored_indexed_and_found(engine):
    engine.start()
    with psycopg.connect(engine.url) as connection:
        connection.execute("create extension vector")
        connection.execute("create table chunks (id int, embedding vector(3))")
        connection.execute("create index on chunks using hnsw (embedding vector_l2_ops)")
        connection.execute("insert into chunks values (1, '[1,2,3]'), (2, '[9,9,9]')")
        nearest = connection.execute("select id from chunks order by embedding <-> '[1,2,4]' limit 1")
        assert nearest.fetchone() == (1,)


def test_the_password_is_made_once_kept_private_and_needed(engine, tmp_path):
    with pytest.raises(EngineError, match="password"):
        _ = engine.url
    engine.start()
    file = tmp_path / "data" / "password"
    password = file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    engine.stop()
    engine.start()
    assert file.read_text() == password
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(engine.url.replace(password, "wrong"))


def test_it_is_durable_and_listens_on_no_port(engine):
    engine.start()
    with psycopg.connect(engine.url) as connection:
        for setting, value in {
            "fsync": "on",
            "synchronous_commit": "on",
            "full_page_writes": "on",
            "listen_addresses": "",
            "server_encoding": "UTF8",
            "data_checksums": "on",
        }.items():
            assert connection.execute("select current_setting(%s)", (setting,)).fetchone() == (value,), (
                setting
            )


def test_an_interrupted_creation_is_done_again(engine, tmp_path):
    unfinished = tmp_path / "data" / "pgdata.unfinished"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")
    engine.start()
    psycopg.connect(engine.url).close()
    assert not unfinished.exists()


def test_a_busy_backend_of_a_killed_server_does_not_block_the_next_one(engine):
    engine.start()
    with psycopg.connect(engine.url) as connection:
        backend = connection.info.backend_pid
        # A loop that waits for nothing never notices that its server is gone.
        connection.pgconn.send_query(
            b"select count(*) from generate_series(1, 1000000000000) as n where n < 0"
        )
        os.kill(engine.pid, signal.SIGKILL)
        assert wait_for(lambda: not engine.running(), timeout_s=10)
        os.kill(backend, 0)

        engine.start()
        assert wait_for(lambda: not _lives(backend), timeout_s=10)
        connection.pgconn.finish()
    psycopg.connect(engine.url).close()


def test_statements_and_rows_stay_out_of_the_log(engine, tmp_path):
    engine.start()
    with psycopg.connect(engine.url, autocommit=True) as connection:
        connection.execute("create table prompts (prompt text primary key)")
        connection.execute("insert into prompts values ('a-secret-prompt')")
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("insert into prompts values ('a-secret-prompt')")
    engine.stop()
    log = (tmp_path / "data" / "postgres.log").read_text()
    assert "ready to accept connections" in log
    assert "a-secret-prompt" not in log


def test_open_clients_do_not_delay_a_stop(engine):
    engine.start()
    with psycopg.connect(engine.url) as connection:
        connection.execute("create table abandoned (n int)")
        engine.stop()
        assert not engine.running()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("select 1")


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
