"""Finds the adapter of a provider; each is built when it is first used."""

import aiohttp

from services.provider_worker.adapters.litellm_module import LiteLLM
from services.provider_worker.adapters.litellm_provider import LiteLLMProvider
from services.provider_worker.adapters.openai_provider import OpenAIProvider
from services.provider_worker.domain.provider import Provider
from shared.config.catalog import Target
from shared.errors import ProviderUnavailableError


class ConfiguredProviders:
    """The providers of the configuration.

    Args:
        session: For those that speak the OpenAI protocol.
        litellm: For the rest.
        max_answer_bytes: Longest answer taken from a provider.
    """

    def __init__(self, session: aiohttp.ClientSession, litellm: LiteLLM, *, max_answer_bytes: int) -> None:
        self._session = session
        self._litellm = litellm
        self._max_answer_bytes = max_answer_bytes
        self._providers: dict[str, Provider] = {}

    def of(self, target: Target) -> Provider:
        """Return the adapter of a target's provider.

        Raises:
            ProviderUnavailableError: Its configuration lacks the address.
        """
        provider = self._providers.get(target.provider)
        if provider is None:
            provider = self._providers[target.provider] = self._build(target)
        return provider

    def _build(self, target: Target) -> Provider:
        name, settings = target.provider, target.settings
        if settings.kind == "litellm":
            return LiteLLMProvider(name, settings, self._litellm)
        if settings.base_url is None:
            raise ProviderUnavailableError(name, f"{name} has no base_url in the configuration.")
        return OpenAIProvider(
            name, settings.base_url, settings, self._session, max_answer_bytes=self._max_answer_bytes
        )
