from importlib.util import find_spec

import pytest

from shared.config.known_providers import KNOWN_PROVIDERS
from shared.config.loader import load_settings
from shared.config.settings import ServiceSettings


def providers(machine):
    return load_settings(ServiceSettings, service="worker", environment=machine.environment).providers


def test_without_keys_no_provider_is_on(machine):
    assert providers(machine) == {}


@pytest.mark.parametrize(
    ("variable", "name", "kind", "base_url"),
    [
        ("OPENAI_API_KEY", "openai", "openai", "https://api.openai.com/v1"),
        ("GROQ_API_KEY", "groq", "openai", "https://api.groq.com/openai/v1"),
        ("HF_TOKEN", "huggingface", "openai", "https://router.huggingface.co/v1"),
        ("GITHUB_MODELS_API_KEY", "github", "openai", "https://models.github.ai/inference"),
        ("ANTHROPIC_API_KEY", "anthropic", "litellm", None),
        ("GEMINI_API_KEY", "gemini", "litellm", None),
        ("COHERE_API_KEY", "cohere", "litellm", None),
    ],
)
def test_a_usual_variable_switches_its_provider_on(machine, variable, name, kind, base_url):
    machine.environment[variable] = "the-key"
    [(found, settings)] = providers(machine).items()
    assert (found, settings.kind, settings.base_url) == (name, kind, base_url)
    assert settings.api_key is not None
    assert settings.api_key.get_secret_value() == "the-key"


def test_the_key_may_be_a_secret_file(machine):
    machine.secret("openai_api_key", "from-a-file\n")
    key = providers(machine)["openai"].api_key
    assert key is not None
    assert key.get_secret_value() == "from-a-file"


def test_the_usual_address_variable_changes_the_address(machine):
    machine.environment |= {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "http://proxy/v1/"}
    assert providers(machine)["openai"].base_url == "http://proxy/v1"


def test_an_address_alone_switches_nothing_on_but_servers_of_ones_own(machine):
    machine.environment |= {
        "OPENAI_BASE_URL": "http://proxy/v1",
        "OLLAMA_BASE_URL": "http://gpu:11434",
        "VLLM_BASE_URL": "http://gpu:8000/v1/",
    }
    assert {name: found.base_url for name, found in providers(machine).items()} == {
        "ollama": "http://gpu:11434/v1",
        "vllm": "http://gpu:8000/v1",
    }


def test_what_the_operator_says_merges_with_the_usual_key_and_wins(machine):
    machine.environment |= {
        "OPENAI_API_KEY": "usual",
        "GROQ_API_KEY": "usual",
        "PENSTOCK_PROVIDERS__OPENAI__BASE_URL": "http://explicit/v1",
    }
    machine.yaml(
        "penstock.yaml",
        {"providers": {"openai": {"models": ["gpt-x"]}, "groq": {"api_key": "explicit"}, "mistral": {}}},
    )
    found = providers(machine)

    assert found["openai"].base_url == "http://explicit/v1"
    assert found["openai"].models == ("gpt-x",)
    assert found["openai"].api_key.get_secret_value() == "usual"
    assert found["groq"].api_key.get_secret_value() == "explicit"
    assert found["mistral"].base_url == "https://api.mistral.ai/v1"


def test_a_provider_that_yaml_only_names_is_on_with_its_defaults(machine):
    machine.yaml("penstock.yaml", "providers:\n  ollama:\n")
    assert providers(machine)["ollama"].base_url == "http://127.0.0.1:11434/v1"


def test_a_cloud_is_on_when_it_has_credentials_and_a_region(machine):
    machine.environment["AWS_ACCESS_KEY_ID"] = "id"
    assert providers(machine) == {}
    machine.environment["AWS_REGION"] = "eu-central-1"
    assert [(name, found.kind) for name, found in providers(machine).items()] == [("bedrock", "litellm")]


def test_a_token_for_something_else_switches_nothing_on(machine):
    machine.environment["GITHUB_TOKEN"] = "meant for git"
    assert providers(machine) == {}


def test_every_known_provider_can_be_switched_on_alone(machine):
    base = dict(machine.environment)
    for known in KNOWN_PROVIDERS:
        names = [*known.keys[:1], *(group[0] for group in known.needs)]
        machine.environment = base | dict.fromkeys(names, "x")
        assert list(providers(machine)) == [known.name]


def test_litellm_knows_every_provider_by_the_name_in_the_table():
    litellm_types = find_spec("litellm")
    assert litellm_types is not None
    import json
    from pathlib import Path

    prices = Path(litellm_types.submodule_search_locations[0], "model_prices_and_context_window_backup.json")
    known = {entry.get("litellm_provider") for entry in json.loads(prices.read_text()).values()}
    ours = {row.litellm_prefix or row.name for row in KNOWN_PROVIDERS if row.kind == "litellm"}
    assert ours <= known
