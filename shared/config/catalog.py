"""Which provider and model a name stands for.

``provider/model`` works for every model of a provider that is on, listed or not: providers add models
daily, and a list kept here would only be wrong. So ``GET /v1/models`` shows what the operator named: the
aliases and each provider's ``models``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from shared.config.providers import ModelAlias, ProviderBatch, ProviderSettings
from shared.config.settings import ServiceSettings
from shared.errors import ModelNotFoundError

ALIAS_OWNER = "penstock"


@dataclass(frozen=True, slots=True)
class Target:
    """One model of one provider."""

    provider: str
    model: str
    """As the provider calls it; may contain slashes."""
    settings: ProviderSettings


@dataclass(frozen=True, slots=True)
class ModelCard:
    """A model as the list of models shows it."""

    id: str
    owned_by: str
    """The provider, or ``penstock`` for an alias."""


class Catalog:
    """The providers that are on, and the aliases."""

    def __init__(self, providers: Mapping[str, ProviderSettings], aliases: Mapping[str, ModelAlias]) -> None:
        self._providers = dict(providers)
        self._aliases = dict(aliases)
        self._cards = self._list()

    @classmethod
    def from_settings(cls, settings: ServiceSettings) -> Self:
        """Take the catalog out of a service's settings."""
        return cls(settings.providers, settings.models)

    def resolve(self, model: str) -> tuple[Target, ...]:
        """Say what to call for a model's name, in the order to try.

        An alias shadows a ``provider/model`` of the same name. Targets whose provider is off are left out.

        Raises:
            ModelNotFoundError: Nobody serves it.
        """
        alias = self._aliases.get(model)
        names = (model,) if alias is None else alias.targets
        targets = tuple(target for name in names if (target := self._target(name)))
        if targets:
            return targets
        if alias:
            reason = "none of the providers behind it is configured"
        elif "/" in model:
            reason = f"the provider {model.partition('/')[0][:80]!r} is not configured"
        else:
            reason = "no alias has this name; models are called as provider/model, e.g. openai/gpt-4o-mini"
        raise ModelNotFoundError(f"The model {model[:200]!r} does not exist: {reason}.", param="model")

    @property
    def has_provider_batches(self) -> bool:
        """Whether any alias may use its provider's batch API."""
        return any(alias.provider_batch is not None for alias in self._aliases.values())

    def provider_batch(self, model: str) -> tuple[ProviderBatch, Target] | None:
        """Say how, and whose, batch API may be used for a model's name; None where none may.

        Only providers that speak the OpenAI protocol have one that is known here.
        """
        alias = self._aliases.get(model)
        target = None if alias is None else self._target(alias.targets[0])
        if alias is None or alias.provider_batch is None or target is None:
            return None
        return (alias.provider_batch, target) if target.settings.kind == "openai" else None

    def models(self) -> Sequence[ModelCard]:
        """List the aliases that lead somewhere and the models that configuration names, by id."""
        return self._cards

    def _target(self, name: str) -> Target | None:
        provider, slash, model = name.partition("/")
        settings = self._providers.get(provider)
        return Target(provider, model, settings) if slash and model and settings else None

    def _list(self) -> tuple[ModelCard, ...]:
        named = {
            f"{provider}/{model}": provider
            for provider, settings in self._providers.items()
            for model in settings.models
        }
        for name, alias in self._aliases.items():
            if any(map(self._target, alias.targets)):
                named[name] = ALIAS_OWNER
        return tuple(ModelCard(name, owner) for name, owner in sorted(named.items()))
