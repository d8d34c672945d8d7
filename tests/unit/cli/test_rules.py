"""The rules of the command line: backoff, environment, names, files, ports."""

import json
import socket
import stat
from pathlib import Path

import pytest

from services.cli.backoff import Backoff
from services.cli.configuration import fleet_settings, require_service
from services.cli.console import Console
from services.cli.credentials import Credentials
from services.cli.data_dir import DataDir, read_json
from services.cli.environment import FleetEnvironment
from services.cli.errors import CommandError
from services.cli.fleet import NAMES, Service, instances
from services.cli.lock import FleetLock, LockedError
from services.cli.log_files import LogFile, ServiceLog, parse, readable
from services.cli.ports import free_port, free_ports, require_free
from services.cli.state import Entry, FleetState

ENGINES = {"postgres": "postgresql://u:p@/db?host=/run", "valkey": "unix:///run/valkey.sock"}


@pytest.fixture
def folder(tmp_path: Path) -> DataDir:
    folder = DataDir.at(tmp_path / "data")
    folder.prepare()
    return folder


def environment(folder: DataDir, **variables: str) -> FleetEnvironment:
    named = {f"PENSTOCK_{name}": value for name, value in variables.items()}
    return FleetEnvironment(fleet_settings(named), folder, 9000, "http://127.0.0.1:8081")


def test_backoff_doubles_up_to_its_limit_and_forgets_after_a_healthy_life():
    backoff = Backoff(initial_s=1, limit_s=5, healthy_after_s=10)
    assert [backoff.after(0.1) for _ in range(4)] == [1, 2, 4, 5]
    assert backoff.after(10) == 1
    assert backoff.after(0.1) == 2


def test_who_worked_for_some_seconds_is_started_again_at_once_however_often_it_was_killed():
    backoff = Backoff()
    assert {backoff.after(6) for _ in range(50)} == {backoff.initial_s}


def test_without_configuration_every_server_is_embedded(folder):
    fleet = environment(folder)
    added = fleet.additions(ENGINES)
    assert fleet.embedded() == ("postgres", "valkey")
    assert added["PENSTOCK_POSTGRES__URL"] == added["PENSTOCK_BROKER__URL"] == ENGINES["postgres"]
    assert added["PENSTOCK_REDIS__URL"] == ENGINES["valkey"]
    assert added["PENSTOCK_OBJECTS__URL"] == f"file://{folder.path}/objects"
    assert added["PENSTOCK_PROVIDERS__SIMULATOR__BASE_URL"] == "http://127.0.0.1:8081/v1"
    assert len(added["PENSTOCK_SECRET_KEY"]) >= 32


def test_a_configured_server_replaces_the_embedded_one(folder):
    fleet = environment(
        folder,
        POSTGRES__URL="postgresql://db/one",
        REDIS__URL="redis://cache",
        BROKER__URL="amqp://rabbit",
        SECRET_KEY="k" * 40,
        OBJECTS__URL="s3://bucket",
    )
    assert fleet.embedded() == ()
    assert not {name for name in fleet.additions({}) if name.endswith("__URL") and "PROVIDERS" not in name}
    assert "PENSTOCK_SECRET_KEY" not in fleet.additions({})
    assert fleet.secret_key() == "k" * 40


def test_the_broker_follows_a_configured_postgres(folder):
    added = environment(folder, POSTGRES__URL="postgresql://db/one").additions(ENGINES)
    assert added["PENSTOCK_BROKER__URL"] == "postgresql://db/one"


def test_a_broker_setting_without_its_url_keeps_the_embedded_broker(folder):
    added = environment(folder, BROKER__LEASE_S="5").additions(ENGINES)
    assert added["PENSTOCK_BROKER__URL"] == ENGINES["postgres"]


def test_a_wrong_url_is_refused_before_anything_starts(folder):
    with pytest.raises(CommandError, match=r"broker\.url") as raised:
        environment(folder, BROKER__URL="http://oops")
    assert raised.value.exit_code == 78


def test_services_keep_what_the_user_set(folder):
    complete = environment(folder).of_service({"OPENAI_API_KEY": "k", "PENSTOCK_PORT": "1"}, ENGINES)
    assert complete["OPENAI_API_KEY"] == "k"
    assert complete["PENSTOCK_PORT"] == "9000"


def test_several_workers_are_numbered():
    assert instances(Service("provider_worker", scales=True), 1) == ["provider_worker"]
    assert instances(Service("provider_worker", scales=True), 2) == ["provider_worker-1", "provider_worker-2"]
    assert instances(Service("results"), 2) == ["results"]


def test_an_unknown_service_is_answered_with_the_known_ones():
    with pytest.raises(CommandError, match="there are ingress"):
        require_service("ingres")
    for name in NAMES:
        require_service(name)


def test_the_folder_and_its_files_are_private(folder):
    Credentials("http://127.0.0.1:9000", "key").write(folder)
    folder.secret_key()
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    for path in (folder.credentials, folder.secrets):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Credentials.read(folder) == Credentials("http://127.0.0.1:9000", "key")


def test_the_secret_key_stays_the_same(folder):
    assert folder.secret_key() == DataDir.at(folder.path).secret_key()


def test_a_broken_file_is_an_error_that_names_it(folder):
    folder.credentials.write_text("{")
    with pytest.raises(CommandError, match=r"credentials\.json"):
        read_json(folder.credentials)


def test_only_one_holds_the_lock(folder):
    lock, other = FleetLock(folder.lock), FleetLock(folder.lock)
    assert not lock.is_held()
    with lock.held(wait_s=0):
        assert other.is_held()
        with pytest.raises(LockedError), other.held(wait_s=0):
            pass
    with other.held(wait_s=0):
        pass


def test_a_port_in_use_is_an_error_with_a_remedy():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(CommandError, match=r"in use.*--port"):
            require_free("127.0.0.1", taken.getsockname()[1])
    require_free("127.0.0.1", free_port())


def test_free_ports_differ():
    assert len(set(free_ports(20))) == 20


def test_the_state_survives_a_round_trip_and_knows_a_dead_supervisor(folder):
    state = FleetState(
        pid=2**22 + 1,
        created=0,
        phase="ready",
        url="http://127.0.0.1:9000",
        simulator_url="http://127.0.0.1:1",
        services=[Entry(name="ingress", state="running", pid=1)],
    )
    assert FleetState.read(folder) is None
    state.write(folder)
    assert FleetState.read(folder) == state
    assert not state.supervisor_lives


def test_a_log_file_stays_below_its_bound(tmp_path):
    file = LogFile(tmp_path / "a.log", limit_bytes=1000)
    for number in range(100):
        file.write(b"line %03d " % number * 5)
    file.close()
    assert {path.name for path in tmp_path.iterdir()} == {"a.log", "a.log.1"}
    assert all(path.stat().st_size <= 1000 for path in tmp_path.iterdir())
    assert (tmp_path / "a.log").read_text().splitlines()[-1].startswith("line 099")


def test_only_warnings_errors_and_crashes_are_echoed(tmp_path):
    echoed = []
    log = ServiceLog("results", LogFile(tmp_path / "r.log"), lambda *line: echoed.append(line))
    log.line(b'{"level": "info", "event": "ready"}')
    log.line(b'{"level": "warning", "event": "slow", "ms": 12, "service": "results"}')
    log.line(b"Traceback (most recent call last):")
    log.close()
    assert echoed == [
        ("results", "warning", "slow ms=12"),
        ("results", "error", "Traceback (most recent call last):"),
    ]
    assert log.last_words() == "slow ms=12\nTraceback (most recent call last):"
    assert len((tmp_path / "r.log").read_text().splitlines()) == 3


def test_a_line_that_only_looks_like_json_is_kept_as_it_is():
    assert parse(b"{oops") is None
    assert readable({"event": "x", "exception": "Trace"}) == ("info", "x\nTrace")


def test_the_banner_has_a_curl_line_that_parses(capsys):
    Console().ready(Credentials("http://127.0.0.1:9000", "sk-key"), seconds=1.5, stop="Ctrl-C stops it.")
    printed = capsys.readouterr().out
    body = printed.split("-d '")[1].split("'")[0]
    assert json.loads(body)["model"] == "simulator/echo"
    assert "Bearer sk-key" in printed


def test_a_quiet_console_prints_no_key(capsys):
    console = Console(quiet=True)
    console.ready(Credentials("http://127.0.0.1:9000", "sk-key"), seconds=1.5, stop="")
    console.echo("results", "error", "x")
    assert "sk-key" not in capsys.readouterr().out
