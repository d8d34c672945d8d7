"""The usage that a result carries: the provider's counts, and what they cost."""

from decimal import ROUND_CEILING, Decimal

from services.provider_worker.domain.json_text import parse
from services.provider_worker.domain.pricing import PriceList, cost_microusd
from services.provider_worker.domain.provider import ProviderAnswer
from shared.config.catalog import Target
from shared.contracts.jobs import Operation, Usage


def usage_of(
    prices: PriceList, target: Target, operation: Operation, request: bytes, answer: ProviderAnswer
) -> Usage:
    """Price an answer.

    Args:
        prices: Where list prices come from.
        target: Who answered; LiteLLM's name of the provider counts, where it differs.
        operation: What was asked for.
        request: The caller's body: a picture's price depends on its quality and size.
        answer: With its counts.
    """
    tokens = answer.tokens
    quality, size = ("", "")
    if operation is Operation.IMAGE and not tokens.output:
        quality, size = _picture(request)
    seller = target.settings.litellm_prefix or target.provider
    price = prices.price(seller, target.model, quality=quality, size=size)
    return Usage(
        input_tokens=tokens.input,
        output_tokens=tokens.output,
        cached_tokens=tokens.cached,
        cost_microusd=cost_microusd(price, operation, tokens, images=answer.images),
    )


def reduced(usage: Usage, factor: Decimal) -> Usage:
    """Price the same at a part of the list price, rounded up to the next millionth of a dollar."""
    if usage.cost_microusd is None:
        return usage
    cost = int((usage.cost_microusd * factor).to_integral_value(ROUND_CEILING))
    return usage.model_copy(update={"cost_microusd": cost})


def _picture(request: bytes) -> tuple[str, str]:
    try:
        body = parse(request)
    except ValueError:
        return "", ""
    quality, size = body.get("quality"), body.get("size")
    return (
        quality if isinstance(quality, str) else "standard",
        size if isinstance(size, str) else "1024x1024",
    )
