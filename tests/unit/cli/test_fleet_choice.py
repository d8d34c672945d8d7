"""Which fleet a command asks, and with which key."""

from pathlib import Path

import pytest

from services.cli.credentials import Credentials
from services.cli.data_dir import DataDir
from services.cli.errors import EXIT_KEY, EXIT_NO_FLEET, EXIT_USAGE, CommandError
from services.cli.fleet_api import FleetApi

HERE = "http://127.0.0.1:8080"


@pytest.fixture
def folder(tmp_path: Path) -> DataDir:
    folder = DataDir.at(tmp_path)
    Credentials(HERE, "sk-local", "sk-operator").write(folder)
    return folder


@pytest.mark.parametrize(("operator", "key"), [(False, "sk-local"), (True, "sk-operator")])
def test_a_folder_knows_its_fleet(folder: DataDir, operator: bool, key: str):
    found = FleetApi.find(folder, url=None, key=None, operator=operator)
    assert (found.url, found.key) == (HERE, key)
    assert key not in repr(found)
    assert FleetApi.find(folder, url=None, key="sk-other\n", operator=operator).key == "sk-other"
    assert FleetApi.find(folder, url=f"{HERE}/v1/", key=None, operator=operator).key == key


@pytest.mark.parametrize("operator", [False, True])
def test_a_folders_key_goes_to_no_other_fleet(folder: DataDir, operator: bool):
    with pytest.raises(CommandError, match="--api-key") as refused:
        FleetApi.find(folder, url="https://ai.example", key=None, operator=operator)
    assert refused.value.exit_code == EXIT_KEY
    found = FleetApi.find(folder, url="https://ai.example", key="sk-theirs", operator=operator)
    assert (found.url, found.key) == ("https://ai.example", "sk-theirs")


def test_where_there_is_no_fleet_the_remedy_is_said(tmp_path: Path):
    with pytest.raises(CommandError, match="penstock up") as refused:
        FleetApi.find(DataDir.at(tmp_path), url=None, key=None)
    assert refused.value.exit_code == EXIT_NO_FLEET


def test_what_cannot_be_a_url_or_a_key_is_refused_without_the_key(folder: DataDir):
    with pytest.raises(CommandError) as refused:
        FleetApi.find(folder, url="ftp://ai.example", key="sk-x")
    assert refused.value.exit_code == EXIT_USAGE
    with pytest.raises(CommandError) as refused:
        FleetApi.find(folder, url=None, key="sk-\nx")
    assert (refused.value.exit_code, "sk-" in str(refused.value)) == (EXIT_KEY, False)
