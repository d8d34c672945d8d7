"""What is wrong is said with the field, the source and the remedy, and never with the value."""

import os

import pytest

from shared.config.loader import ConfigurationError, load_settings, unknown_variables
from shared.config.settings import ServiceSettings

CANARY = "s3cret-canary"


def problem_with(machine):
    with pytest.raises(ConfigurationError) as caught:
        load_settings(ServiceSettings, service="worker", environment=machine.environment)
    everything = f"{caught.value!r} {caught.value} {caught.value.__cause__!r}"
    assert CANARY not in everything
    return [(problem.field, problem.source, str(problem)) for problem in caught.value.problems]


def test_everything_that_is_missing_is_named_with_its_variable(machine):
    for name in ("PENSTOCK_BROKER__URL", "PENSTOCK_SECRET_KEY"):
        del machine.environment[name]

    problems = problem_with(machine)

    assert [field for field, _, _ in problems] == ["secret_key", "broker.url"]
    assert "PENSTOCK_BROKER__URL" in problems[1][2]
    assert "penstock_broker__url" in problems[1][2]


def test_a_misspelt_variable_is_recognised_when_its_setting_is_missing(machine):
    machine.environment["PENSTOCK_BROKR__URL"] = machine.environment.pop("PENSTOCK_BROKER__URL")
    [(_, _, text)] = problem_with(machine)
    assert "PENSTOCK_BROKR__URL is set: is it misspelt?" in text


@pytest.mark.parametrize(
    ("variable", "value", "field"),
    [
        ("PENSTOCK_BROKER__POOL_SIZE", CANARY, "broker.pool_size"),
        ("PENSTOCK_ADMIN__PORT", "70000", "admin.port"),
        ("PENSTOCK_LOG__LEVEL", CANARY, "log.level"),
        ("PENSTOCK_SECRET_KEY", CANARY, "secret_key"),
        ("PENSTOCK_BROKER__URL", f"http://u:{CANARY}@host", "broker.url"),
        ("PENSTOCK_POSTGRES", CANARY, "postgres"),
        ("PENSTOCK_BROKER__URLL", CANARY, "broker.urll"),
    ],
)
def test_a_bad_value_is_named_by_its_field_and_variable(machine, variable, value, field):
    machine.environment[variable] = value
    assert [(found, source) for found, source, _ in problem_with(machine)] == [
        (field, f"environment {variable}")
    ]


def test_every_problem_is_told_at_once(machine):
    machine.environment["PENSTOCK_LOG__LEVEL"] = "loud"
    machine.environment["PENSTOCK_PROVIDERS__MINE__API_KEY"] = CANARY
    machine.yaml("penstock.yaml", {"redis": {"timeout": 1}, "provders": {}})

    fields = {field for field, _, _ in problem_with(machine)}

    assert fields == {"log.level", "providers.mine.base_url", "redis.timeout", "provders"}


def test_an_unknown_key_in_a_section_is_refused_with_what_was_meant(machine):
    machine.yaml("penstock.yaml", {"postgres": {"pool_sise": 3}})
    [(field, source, text)] = problem_with(machine)
    assert (field, source) == ("postgres.pool_sise", "penstock.yaml")
    assert "Did you mean pool_size?" in text


def test_another_services_section_is_fine_in_the_shared_file_only(machine):
    machine.yaml("penstock.yaml", {"uploads": {"size": 1}})
    load_settings(ServiceSettings, service="worker", environment=machine.environment)

    machine.yaml("penstock.d/services/worker.yaml", {"gadgets": {"size": 1}})
    [(field, source, _)] = problem_with(machine)
    assert (field, source) == ("gadgets", "penstock.d/services/worker.yaml")


@pytest.mark.parametrize(
    "text",
    [
        f"redis:\n  url: *{CANARY}\n",
        f"redis: [{CANARY}\n",
        f"redis: {{{CANARY}\n:::",
        f"{CANARY}: : x\n",
        f"- {CANARY}\n",
        f"redis: !!python/object:{CANARY} {{}}\n",
        f"\0{CANARY}",
    ],
)
def test_yaml_that_does_not_parse_is_named_without_quoting_it(machine, text):
    machine.yaml("penstock.yaml", text)
    [(field, _, _)] = problem_with(machine)
    assert field == "penstock.yaml"


def test_the_position_of_a_yaml_mistake_is_told(machine):
    machine.yaml("penstock.yaml", "log:\n  level: info\n bad: [\n")
    assert "line 3" in problem_with(machine)[0][2]


def test_a_section_that_is_a_word_is_a_wrong_type(machine):
    machine.yaml("penstock.yaml", f"log: {CANARY}\n")
    [(field, source, _)] = problem_with(machine)
    assert (field, source) == ("log", "penstock.yaml")


def test_a_configuration_folder_that_is_not_there_is_an_error(machine):
    machine.environment["PENSTOCK_CONFIG_DIR"] = str(machine.folder / "elsewhere")
    [(_, source, text)] = problem_with(machine)
    assert source == "environment PENSTOCK_CONFIG_DIR"
    assert "elsewhere" in text


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b", "", ".hidden", "a\nb"])
def test_an_environment_name_cannot_leave_its_folder(machine, name):
    machine.environment["PENSTOCK_ENVIRONMENT"] = name
    if name:
        [(field, _, _)] = problem_with(machine)
        assert field == "environment"
    else:
        load_settings(ServiceSettings, service="worker", environment=machine.environment)


def test_a_secret_that_is_not_text_is_an_error(machine):
    (machine.secrets / "penstock_redis__url").write_bytes(b"\xff\xfe\xfd")
    [(_, _, text)] = problem_with(machine)
    assert "cannot be read" in text


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_secret_that_may_not_be_read_is_an_error(machine):
    machine.secret("penstock_redis__url", "redis://x")
    (machine.secrets / "penstock_redis__url").chmod(0)
    [(field, _, _)] = problem_with(machine)
    assert field.endswith("penstock_redis__url")


def test_variables_that_nobody_reads_are_listed():
    class Other(ServiceSettings):
        uploads: tuple[str, ...] = ()

    environment = {
        "PENSTOCK_BROKER__URL": "x",
        "PENSTOCK_BROKR__URL": "x",
        "PENSTOCK_PROVIDERS__ANY__BASE_URL": "x",
        "PENSTOCK_PROVIDERS__ANY__BASE_URI": "x",
        "PENSTOCK_UPLOADS": "1",
        "PENSTOCK_CONFIG_DIR": ".",
        "PENSTOCK_TEST_MONGO_URL": "x",
        "PENSTOCK___X": "x",
        "HOME": "/",
    }
    assert unknown_variables([ServiceSettings, Other], environment=environment) == [
        "PENSTOCK_BROKR__URL",
        "PENSTOCK_PROVIDERS__ANY__BASE_URI",
        "PENSTOCK___X",
    ]
