"""What a call costs, in integer micro-USD."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Decimal
from typing import Protocol

from services.provider_worker.domain.tokens import Tokens
from shared.contracts.jobs import Operation

_MICRO = Decimal(1_000_000)
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """US dollars a token; None where the price list says nothing."""

    input: Decimal | None = None
    output: Decimal | None = None
    cached: Decimal | None = None
    cache_written: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """The list price of one model."""

    rates: Rates
    above: Mapping[int, Rates] = field(default_factory=dict)
    """Rates that hold for the whole call once its prompt has more tokens than the key."""
    input_image_token: Decimal | None = None
    output_image_token: Decimal | None = None
    image: Decimal | None = None
    """US dollars a picture."""


FREE = Price(rates=Rates(input=_ZERO, output=_ZERO), image=_ZERO)


class PriceList(Protocol):
    """Where prices come from."""

    def price(self, provider: str, model: str, *, quality: str = "", size: str = "") -> Price | None:
        """Find the price of a model; ``quality`` and ``size`` (``1024x1024``) matter for pictures."""


def cost_microusd(
    price: Price | None, operation: Operation, tokens: Tokens, *, images: int = 0
) -> int | None:
    """Price one call.

    Args:
        price: Its model's; None where none is known.
        operation: What was asked for.
        tokens: What it consumed.
        images: How many pictures came back.

    Returns:
        Millionths of a US dollar, rounded up so that totals never undercount; None when a rate that the
        call needs is unknown.
    """
    if price is None:
        return None
    if operation is Operation.IMAGE:
        dollars = _image_dollars(price, tokens, images)
    else:
        dollars = _token_dollars(price, tokens)
    return None if dollars is None else int((dollars * _MICRO).to_integral_value(ROUND_CEILING))


def _image_dollars(price: Price, tokens: Tokens, images: int) -> Decimal | None:
    """Pictures are billed by their tokens where the provider counts them, otherwise apiece."""
    if not tokens.output or price.output_image_token is None:
        return None if price.image is None else price.image * images
    text_rate = price.rates.input or _ZERO
    image_rate = text_rate if price.input_image_token is None else price.input_image_token
    text = max(0, tokens.input - tokens.input_image)
    return text * text_rate + tokens.input_image * image_rate + tokens.output * price.output_image_token


def _token_dollars(price: Price, tokens: Tokens) -> Decimal | None:
    rates = price.rates
    for bound in sorted(price.above):
        if tokens.input > bound:
            rates = _over(price.above[bound], rates)
    if (tokens.input and rates.input is None) or (tokens.output and rates.output is None):
        return None
    full, output = rates.input or _ZERO, rates.output or _ZERO
    cached = min(tokens.cached, tokens.input)
    written = min(tokens.cache_written, tokens.input - cached)
    return (
        (tokens.input - cached - written) * full
        + cached * (full if rates.cached is None else rates.cached)
        + written * (full if rates.cache_written is None else rates.cache_written)
        + tokens.output * output
    )


def _over(tier: Rates, base: Rates) -> Rates:
    return Rates(
        input=base.input if tier.input is None else tier.input,
        output=base.output if tier.output is None else tier.output,
        cached=base.cached if tier.cached is None else tier.cached,
        cache_written=base.cache_written if tier.cache_written is None else tier.cache_written,
    )
