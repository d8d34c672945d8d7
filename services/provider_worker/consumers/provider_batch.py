"""Questions about batches at providers: submit, look, fetch, recall."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import structlog

from services.provider_worker.adapters.announcer import Announcer, message_of
from services.provider_worker.adapters.openai_batches import OpenAIBatches, RemoteBatch
from services.provider_worker.consumers.provider_batch_fetch import FetchAnswers
from services.provider_worker.domain.batch_input import for_provider
from shared.config.catalog import Catalog, Target
from shared.contracts.provider_batches import (
    ProviderBatchAction,
    ProviderBatchAsked,
    ProviderBatchReported,
)
from shared.errors import (
    ModelNotFoundError,
    PenstockError,
    ProviderAuthenticationError,
    ProviderRejectedError,
    ProviderTimeoutError,
)
from shared.messaging.broker import Delivery
from shared.storage.files import FilePart, FileStore

_SKEW = timedelta(minutes=10)
"""By so much a provider's clock may be behind ours."""
_log = structlog.get_logger(__name__)


class HandleProviderBatch:
    """Answers one question; safe to repeat, but not at the same time as another worker.

    Args:
        catalog: Says whose batch API it is.
        api: Opens the batch API of a target.
        inputs: Has the requests.
        fetch: Reports what the provider answered.
        announcer: Sends the reply.
    """

    def __init__(
        self,
        *,
        catalog: Catalog,
        api: Callable[[Target], OpenAIBatches],
        inputs: FileStore,
        fetch: FetchAnswers,
        announcer: Announcer,
    ) -> None:
        self._catalog = catalog
        self._api = api
        self._inputs = inputs
        self._fetch = fetch
        self._announcer = announcer

    async def __call__(self, delivery: Delivery) -> None:
        """Handle one delivery.

        After the time of the question nothing is done or said: somebody else may have been asked.

        Raises:
            MalformedMessageError: It is no question.
        """
        asked = ProviderBatchAsked.decode(delivery.message.body)
        left_s = (asked.until - datetime.now(UTC)).total_seconds()
        if left_s <= 0 or delivery.message.reply_to is None:
            return
        try:
            async with asyncio.timeout(left_s):
                report = await self._report(asked)
        except TimeoutError:
            _log.warning("provider batch took too long", batch=str(asked.id), action=asked.action)
            return
        except PenstockError as error:
            _log.warning("provider batch failed", batch=str(asked.id), code=error.code, reason=error.message)
            report = ProviderBatchReported(id=asked.id, failure=error.code)
        reply = message_of(report, correlation_id=delivery.message.correlation_id)
        await self._announcer.reply(delivery.message.reply_to, reply)

    async def _report(self, asked: ProviderBatchAsked) -> ProviderBatchReported:
        found = self._catalog.provider_batch(asked.model)
        if found is None:
            raise ModelNotFoundError("The model has no provider batches here.")
        chosen, target = found
        api = self._api(target)
        match asked.action:
            case ProviderBatchAction.SUBMIT:
                return await self._submit(api, target, asked)
            case ProviderBatchAction.RECALL:
                remote = await self._recalled(api, asked)
            case ProviderBatchAction.LOOK:
                remote = await self._known(api, asked)
        if remote is None:
            return ProviderBatchReported(id=asked.id, ended=True)
        if not remote.ended:
            return ProviderBatchReported(id=asked.id, remote_id=remote.id)
        return await self._fetch(api, asked, remote, target, factor=chosen.price_factor)

    async def _submit(
        self, api: OpenAIBatches, target: Target, asked: ProviderBatchAsked
    ) -> ProviderBatchReported:
        remote = await self._known(api, asked)
        if remote is None:
            try:
                remote = await self._create(api, target, asked)
            except (ProviderRejectedError, ProviderAuthenticationError) as error:
                _log.warning("provider refuses a batch", batch=str(asked.id), code=error.code)
                return ProviderBatchReported(id=asked.id, ended=True)
        return ProviderBatchReported(id=asked.id, remote_id=remote.id)

    async def _create(self, api: OpenAIBatches, target: Target, asked: ProviderBatchAsked) -> RemoteBatch:
        parts = [FilePart(part.ref, part.bytes) for part in asked.parts]
        whole = await self._inputs.read(parts, 0, sum(part.bytes for part in parts))
        file_id = await api.upload(for_provider(whole, target.model), name=str(asked.id))
        if datetime.now(UTC) >= asked.until:  # this process stood still
            raise ProviderTimeoutError(target.provider, "The time of the question is over.")
        return await api.create(file_id, operation=asked.operation, ours=str(asked.id))

    async def _known(self, api: OpenAIBatches, asked: ProviderBatchAsked) -> RemoteBatch | None:
        """Find the batch at the provider: by the provider's id, or by ours where that was never noted."""
        if asked.remote_id is not None:
            return await api.get(asked.remote_id)
        found = await api.find(str(asked.id), since=asked.created_at - _SKEW)
        for double in found[1:]:
            await _stop(api, double)
        return found[0] if found else None

    async def _recalled(self, api: OpenAIBatches, asked: ProviderBatchAsked) -> RemoteBatch | None:
        remote = await self._known(api, asked)
        if remote is None or not remote.stoppable:
            return remote
        await _stop(api, remote)
        return await api.get(remote.id)


async def _stop(api: OpenAIBatches, remote: RemoteBatch) -> None:
    """Tell a batch to stop; one that ends in this moment refuses, and that is as good."""
    if remote.stoppable:
        with suppress(ProviderRejectedError):
            await api.cancel(remote.id)
