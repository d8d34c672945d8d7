"""LiteLLM itself: imported when first needed, off the event loop, and kept from doing things on its own."""

import asyncio
import importlib
import logging
import os
from types import ModuleType

from shared.errors import ProviderUnavailableError

_ENVIRONMENT = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # the import would fetch the price map from the network
    "LITELLM_MODE": "PRODUCTION",  # the import would read a .env file
}
_CONFIGURATION = {
    "disable_hf_tokenizer_download": True,  # counting tokens would fetch a tokenizer from the network
    "disable_aiohttp_trust_env": True,
    "user_url_validation": True,  # it fetches pictures for some providers: from public addresses only
    "telemetry": False,
    "suppress_debug_info": True,
    "drop_params": False,
    "modify_params": False,
    "num_retries": 0,
    "callbacks": [],
    "success_callback": [],
    "failure_callback": [],
}
_LOGGERS = ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy")
"""They quote what callers sent, and write to standard error by themselves."""


class LiteLLM:
    """The module, shared by its providers. Importing takes 5 to 7 s and 180 MB."""

    def __init__(self) -> None:
        self._module: ModuleType | None = None
        self._importing = asyncio.Lock()

    def own_parameters(self) -> frozenset[str]:
        """Name the parameters that steer LiteLLM and not the model; the module must be there."""
        if self._module is None:
            raise ValueError("LiteLLM is not imported yet")
        types = self._module.types
        return frozenset(
            (*types.utils.all_litellm_params, *types.router.GenericLiteLLMParams.model_fields)
        ) - {"thinking", "top_k"}

    async def module(self, provider: str) -> ModuleType:
        """Return the module.

        Raises:
            ProviderUnavailableError: It is not installed.
        """
        if self._module is None:
            async with self._importing:
                if self._module is None:
                    self._module = await asyncio.to_thread(_imported, provider)
        return self._module


def _imported(provider: str) -> ModuleType:
    os.environ.update(_ENVIRONMENT)  # noqa: TID251 - the import reads these, there is no other way to say it
    try:
        litellm = importlib.import_module("litellm")
    except ModuleNotFoundError as error:
        if error.name != "litellm":
            raise
        raise ProviderUnavailableError(
            provider, f"{provider} needs LiteLLM, which is not installed here: install penstock[litellm]."
        ) from error
    for name, value in _CONFIGURATION.items():
        setattr(litellm, name, value)
    for name in _LOGGERS:
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return litellm
