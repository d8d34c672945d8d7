import json
from decimal import Decimal

import pytest

from services.provider_worker.adapters.price_map import PriceMap, bundled_price_file
from services.provider_worker.domain.pricing import Price, Rates, cost_microusd
from services.provider_worker.domain.tokens import Tokens, tokens_of
from shared.contracts.jobs import Operation

CHAT, IMAGE = Operation.CHAT, Operation.IMAGE


@pytest.fixture(scope="module")
def prices():
    return PriceMap(bundled_price_file())


@pytest.fixture(scope="module")
def listed():
    return json.loads(bundled_price_file().read_bytes(), parse_float=Decimal)


def test_a_call_costs_what_the_bundled_list_says(prices, listed):
    entry = listed["gpt-4o-mini"]
    tokens = Tokens(input=1_000_000, output=1_000_000, cached=400_000)
    dollars = (
        600_000 * entry["input_cost_per_token"]
        + 400_000 * entry["cache_read_input_token_cost"]
        + 1_000_000 * entry["output_cost_per_token"]
    )
    assert cost_microusd(prices.price("openai", "gpt-4o-mini"), CHAT, tokens) == dollars * 1_000_000


def test_fractions_are_rounded_up(prices):
    price = prices.price("openai", "gpt-4o-mini")
    assert cost_microusd(price, CHAT, Tokens(input=1)) == 1
    assert cost_microusd(price, CHAT, Tokens()) == 0


def test_embeddings_are_priced(prices, listed):
    rate = listed["text-embedding-3-small"]["input_cost_per_token"]
    price = prices.price("openai", "text-embedding-3-small")
    assert cost_microusd(price, Operation.EMBEDDING, Tokens(input=10**9)) == 10**15 * rate


def test_a_model_of_another_provider_has_no_price(prices):
    assert prices.price("vllm", "gpt-4o-mini") is None
    assert prices.price("openai", "claude-sonnet-4-5") is None
    assert prices.price("openai", "no-such-model") is None
    assert cost_microusd(None, CHAT, Tokens(input=1)) is None


def test_the_simulator_is_free(prices):
    assert cost_microusd(prices.price("simulator", "echo"), CHAT, Tokens(input=5, output=5)) == 0


def test_without_litellm_nothing_has_a_price():
    assert PriceMap(None).price("openai", "gpt-4o-mini") is None


def test_long_prompts_pay_the_higher_tier(listed):
    name = next(
        name
        for name, entry in listed.items()
        if "input_cost_per_token_above_200k_tokens" in entry and entry["litellm_provider"] == "gemini"
    )
    entry = listed[name]
    price = PriceMap(bundled_price_file()).price("gemini", name.removeprefix("gemini/"))
    low, high = Tokens(input=200_000, output=10), Tokens(input=200_001, output=10)
    assert cost_microusd(price, CHAT, low) == -(
        -(200_000 * entry["input_cost_per_token"] + 10 * entry["output_cost_per_token"]) * 10**6 // 1
    )
    assert cost_microusd(price, CHAT, high) > cost_microusd(price, CHAT, low) * Decimal("1.2")


def test_pictures_cost_apiece_by_quality_and_size(prices, listed):
    one = listed["low/1024-x-1024/gpt-image-1"]["input_cost_per_image"]
    price = prices.price("openai", "gpt-image-1", quality="low", size="1024x1024")
    assert cost_microusd(price, IMAGE, Tokens(), images=3) == 3 * one * 1_000_000


def test_pictures_cost_by_token_where_those_are_counted(prices, listed):
    entry = listed["gpt-image-1"]
    tokens = Tokens(input=100, input_image=60, output=1000)
    dollars = (
        40 * entry["input_cost_per_token"]
        + 60 * entry["input_cost_per_image_token"]
        + 1000 * entry["output_cost_per_image_token"]
    )
    assert cost_microusd(prices.price("openai", "gpt-image-1"), IMAGE, tokens, images=1) == dollars * 10**6


def test_a_rate_that_is_missing_is_not_free():
    price = Price(rates=Rates(input=Decimal("0.000001")))
    assert cost_microusd(price, CHAT, Tokens(input=1)) == 1
    assert cost_microusd(price, CHAT, Tokens(input=1, output=1)) is None
    assert cost_microusd(price, IMAGE, Tokens(), images=1) is None


@pytest.mark.parametrize("usage", [None, [], {"prompt_tokens": "3"}, {"prompt_tokens": -1}])
def test_a_usage_that_makes_no_sense_counts_nothing(usage):
    assert tokens_of(usage) == Tokens()
