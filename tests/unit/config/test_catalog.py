import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.config.catalog import Catalog, ModelCard
from shared.config.providers import ModelAlias, ProviderSettings
from shared.errors import ModelNotFoundError

OPENAI = ProviderSettings(base_url="http://openai/v1", models=("gpt-b", "gpt-a"))
GROQ = ProviderSettings(base_url="http://groq/v1")


@pytest.fixture
def catalog() -> Catalog:
    return Catalog(
        {"openai": OPENAI, "groq": GROQ},
        {
            "fast": ModelAlias(targets=("groq/llama", "off/x", "openai/gpt-a")),
            "gone": ModelAlias(targets=("off/x",)),
            "openai/gpt-b": ModelAlias(targets=("groq/qwen",)),
        },
    )


def resolved(catalog, model):
    return [(target.provider, target.model) for target in catalog.resolve(model)]


def test_a_provider_and_model_need_no_configuration(catalog):
    assert resolved(catalog, "openai/anything-new") == [("openai", "anything-new")]


def test_a_model_may_contain_slashes(catalog):
    assert resolved(catalog, "groq/meta-llama/llama-4") == [("groq", "meta-llama/llama-4")]


def test_an_alias_leads_to_its_targets_in_order_without_those_that_are_off(catalog):
    assert resolved(catalog, "fast") == [("groq", "llama"), ("openai", "gpt-a")]


def test_an_alias_shadows_the_model_of_its_name(catalog):
    assert resolved(catalog, "openai/gpt-b") == [("groq", "qwen")]


@pytest.mark.parametrize("model", ["", "fast2", "off/x", "openai/", "/x", "openai", "gone", "x" * 5000])
def test_what_nobody_serves_is_an_error_about_the_model(catalog, model):
    with pytest.raises(ModelNotFoundError) as caught:
        catalog.resolve(model)
    assert (caught.value.param, caught.value.http_status) == ("model", 404)
    assert len(caught.value.message) < 500


@given(st.text())
def test_any_text_is_resolved_or_refused(model):
    catalog = Catalog({"openai": OPENAI}, {})
    try:
        [target] = catalog.resolve(model)
    except ModelNotFoundError:
        assert not model.startswith("openai/") or model == "openai/"
    else:
        assert f"{target.provider}/{target.model}" == model


def test_the_list_has_aliases_that_lead_somewhere_and_configured_models(catalog):
    assert catalog.models() == (
        ModelCard("fast", "penstock"),
        ModelCard("openai/gpt-a", "openai"),
        ModelCard("openai/gpt-b", "penstock"),
    )
