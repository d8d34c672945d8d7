"""Where a value comes from, with real files and real environment variables."""

from typing import Annotated

import pytest
from pydantic import Field

from shared.config.loader import effective, load_settings
from shared.config.settings import Section, ServiceSettings


class LaneSettings(Section):
    weights: dict[str, int] = Field(default_factory=dict)
    names: tuple[str, ...] = ()


class WorkerSettings(ServiceSettings):
    lanes: LaneSettings = LaneSettings()
    queues: Annotated[tuple[str, ...], Field(max_length=9)] = ()


def load(machine):
    return load_settings(WorkerSettings, service="worker", environment=machine.environment)


def sources(machine):
    rows = effective(WorkerSettings, "worker", environment=machine.environment)
    return {row.path: row.source for row in rows}


def test_each_place_wins_over_those_below_it(machine):
    places = [
        lambda: machine.yaml("penstock.yaml", {"shutdown_grace_s": 2}),
        lambda: machine.yaml("penstock.d/environments/local.yaml", {"shutdown_grace_s": 3}),
        lambda: machine.yaml("penstock.d/services/worker.yaml", {"shutdown_grace_s": 4}),
        lambda: machine.secret("penstock_shutdown_grace_s", "5\n"),
        lambda: machine.environment.update(PENSTOCK_SHUTDOWN_GRACE_S="6"),
    ]
    seen = [(load(machine).shutdown_grace_s, sources(machine)["shutdown_grace_s"])]
    for fill in places:
        fill()
        seen.append((load(machine).shutdown_grace_s, sources(machine)["shutdown_grace_s"]))

    assert seen == [
        (25.0, "default"),
        (2.0, "penstock.yaml"),
        (3.0, "penstock.d/environments/local.yaml"),
        (4.0, "penstock.d/services/worker.yaml"),
        (5.0, f"secret file {machine.secrets / 'penstock_shutdown_grace_s'}"),
        (6.0, "environment PENSTOCK_SHUTDOWN_GRACE_S"),
    ]


def test_the_process_environment_is_what_counts_by_default(machine, monkeypatch):
    for name, value in machine.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PENSTOCK_LOG__LEVEL", "debug")

    assert load_settings(WorkerSettings, service="worker").log.level == "debug"


def test_one_member_of_a_section_is_overridden_and_the_others_stay(machine):
    machine.yaml("penstock.yaml", {"postgres": {"pool_size": 3, "statement_timeout_s": 4}})
    machine.yaml("penstock.d/services/worker.yaml", {"postgres": {"statement_timeout_s": 5}})
    machine.environment["PENSTOCK_POSTGRES__POOL_SIZE"] = "6"

    postgres = load(machine).postgres

    assert (postgres.pool_size, postgres.statement_timeout_s) == (6, 5.0)
    assert sources(machine)["postgres.statement_timeout_s"] == "penstock.d/services/worker.yaml"


def test_a_file_of_another_service_says_nothing(machine):
    machine.yaml("penstock.d/services/ingress.yaml", {"shutdown_grace_s": 9})
    assert load(machine).shutdown_grace_s == 25.0


def test_the_environment_name_chooses_its_file(machine):
    machine.yaml("penstock.yaml", {"environment": "staging"})
    machine.yaml("penstock.d/environments/staging.yaml", {"log": {"level": "debug"}})
    machine.yaml("penstock.d/environments/production.yaml", {"log": {"level": "error"}})

    assert load(machine).log.level == "debug"
    machine.environment["PENSTOCK_ENVIRONMENT"] = "production"
    assert load(machine).log.level == "error"


@pytest.mark.parametrize("name", ["penstock_broker__url", "PENSTOCK_BROKER__URL"])
def test_a_secret_file_may_have_its_variables_name_in_either_case(machine, name):
    del machine.environment["PENSTOCK_BROKER__URL"]
    machine.secret(name, "amqps://u:from-a-file@broker/\n")
    assert load(machine).broker.url.get_secret_value() == "amqps://u:from-a-file@broker/"


def test_a_variable_that_is_set_to_nothing_counts_as_not_set(machine):
    machine.yaml("penstock.yaml", {"log": {"level": "warning"}})
    machine.environment["PENSTOCK_LOG__LEVEL"] = ""
    assert load(machine).log.level == "warning"


def test_an_empty_section_in_yaml_says_nothing(machine):
    machine.yaml("penstock.yaml", "log:\nproviders:\npostgres:\n  pool_size: 3\n")
    assert load(machine).postgres.pool_size == 3


@pytest.mark.parametrize("text", ["a,b", " a , b ", '["a","b"]'])
def test_a_list_in_a_variable_is_separated_by_commas_or_json(machine, text):
    machine.environment["PENSTOCK_QUEUES"] = text
    machine.environment["PENSTOCK_LANES__NAMES"] = text
    assert (load(machine).queues, load(machine).lanes.names) == (("a", "b"), ("a", "b"))


def test_a_group_as_json_is_merged_with_its_members(machine):
    machine.yaml("penstock.yaml", {"lanes": {"weights": {"interactive": 1, "batch": 1}}})
    machine.environment["PENSTOCK_LANES"] = '{"weights": {"interactive": 7}}'
    machine.environment["PENSTOCK_LANES__WEIGHTS__STANDARD"] = "3"
    assert load(machine).lanes.weights == {"interactive": 7, "batch": 1, "standard": 3}


def test_a_variable_reaches_names_that_it_cannot_spell(machine):
    machine.yaml(
        "penstock.yaml",
        {
            "providers": {"my-provider": {"base_url": "http://one/v1"}},
            "models": {"gpt-4.1": {"targets": ["my-provider/a"]}},
        },
    )
    machine.environment["PENSTOCK_PROVIDERS__MY_PROVIDER__BASE_URL"] = "http://two/v1"
    machine.environment["PENSTOCK_MODELS__GPT_4_1__TARGETS"] = "my-provider/b"

    settings = load(machine)

    assert {name: provider.base_url for name, provider in settings.providers.items()} == {
        "my-provider": "http://two/v1"
    }
    assert settings.models["gpt-4.1"].targets == ("my-provider/b",)


def test_making_settings_by_hand_reads_no_environment(monkeypatch):
    monkeypatch.setenv("PENSTOCK_LOG__LEVEL", "debug")
    settings = WorkerSettings.model_validate(
        {
            "secret_key": "k" * 32,
            "broker": {"url": "amqp://broker"},
            "postgres": {"url": "postgresql://db"},
            "redis": {"url": "redis://redis"},
            "objects": {"url": "memory:///"},
        }
    )
    assert settings.log.level == "info"
