"""The price list that LiteLLM's wheel carries as a JSON file, read without importing LiteLLM."""

import importlib.util
import json
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from services.provider_worker.domain.pricing import FREE, Price, Rates

_FILE = "model_prices_and_context_window_backup.json"
_RATES = {
    "input_cost_per_token": "input",
    "output_cost_per_token": "output",
    "cache_read_input_token_cost": "cached",
    "cache_creation_input_token_cost": "cache_written",
}
_TIER = re.compile(rf"({'|'.join(_RATES)})_above_(\d+)k_tokens")
_KEPT = frozenset(
    {
        *_RATES,
        "litellm_provider",
        "input_cost_per_image",
        "output_cost_per_image",
        "input_cost_per_image_token",
        "output_cost_per_image_token",
    }
)


def bundled_price_file() -> Path | None:
    """Find the file in the installed wheel; None when LiteLLM is not installed."""
    spec = importlib.util.find_spec("litellm")
    if spec is None or not spec.submodule_search_locations:
        return None
    file = Path(spec.submodule_search_locations[0]) / _FILE
    return file if file.is_file() else None


class PriceMap:
    """Prices by model name. Only what prices a call is kept: numbers as text, about 1 MB.

    Args:
        file: In LiteLLM's format; None knows no prices at all.
    """

    def __init__(self, file: Path | None) -> None:
        self._entries: dict[str, dict[str, Any]] = {}
        self._found: dict[tuple[str, str, str, str], Price | None] = {}
        if file is not None:
            self._entries = json.loads(
                file.read_bytes(), parse_float=str, parse_int=str, object_pairs_hook=_kept
            )

    def price(self, provider: str, model: str, *, quality: str = "", size: str = "") -> Price | None:
        """Find the price of a provider's model; the simulator is free, an unknown model has none."""
        if provider == "simulator":
            return FREE
        wanted = (provider, model, quality, size)
        if wanted not in self._found:
            if len(self._found) > 10_000:  # names come from callers
                self._found.clear()
            self._found[wanted] = self._find(*wanted)
        return self._found[wanted]

    def _find(self, provider: str, model: str, quality: str, size: str) -> Price | None:
        for name in _names(model, quality, size):
            entry = self._entries.get(f"{provider}/{name}")
            if entry is None:
                entry = self._entries.get(name)
                if entry is not None and not _sold_by(provider, str(entry.get("litellm_provider", ""))):
                    entry = None
            if entry is not None:
                return _price(entry)
        return None


def _names(model: str, quality: str, size: str) -> Iterator[str]:
    """Spell the name of a picture's price before the plain one: ``hd/1024-x-1024/dall-e-3``."""
    if size:
        dimensions = size.replace("x", "-x-")
        if quality:
            yield f"{quality}/{dimensions}/{model}"
        yield f"{dimensions}/{model}"
    yield model


def _sold_by(provider: str, seller: str) -> bool:
    """Whether an entry without the provider in its name is that provider's: ``cohere_chat`` is cohere's."""
    return seller == provider or seller.startswith((f"{provider}_", f"{provider}-"))


def _kept(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {
        name: value
        for name, value in pairs
        if isinstance(value, dict) or (value and (name in _KEPT or _TIER.fullmatch(name)))
    }


def _price(entry: dict[str, Any]) -> Price:
    tiers: dict[int, dict[str, Decimal]] = {}
    for name, value in entry.items():
        if (tier := _TIER.fullmatch(name)) is not None:
            tiers.setdefault(int(tier[2]) * 1000, {})[_RATES[tier[1]]] = Decimal(value)
    image = entry.get("output_cost_per_image") or entry.get("input_cost_per_image")
    return Price(
        rates=Rates(**{rate: Decimal(entry[name]) for name, rate in _RATES.items() if name in entry}),
        above={bound: Rates(**rates) for bound, rates in tiers.items()},
        input_image_token=_decimal(entry.get("input_cost_per_image_token")),
        output_image_token=_decimal(entry.get("output_cost_per_image_token")),
        image=_decimal(image),
    )


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
