"""Calls the providers that serve a model, one after the other until one answers."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, aclosing
from dataclasses import dataclass, field
from typing import Protocol

from services.provider_worker.domain.assembly import Assembly
from services.provider_worker.domain.costs import usage_of
from services.provider_worker.domain.estimate import estimated_tokens
from services.provider_worker.domain.outcome import Outcome
from services.provider_worker.domain.pricing import PriceList
from services.provider_worker.domain.provider import Chunk, Provider, ProviderAnswer, ProviderCall
from shared.config.catalog import Target
from shared.contracts.jobs import JobStatus, Operation, Usage
from shared.errors import PenstockError, ProviderError

OnChunk = Callable[[Chunk], None]


class Providers(Protocol):
    """Finds the adapter of a target."""

    def of(self, target: Target) -> Provider:
        """Return the provider; raises ProviderError when it cannot be used."""


class Meter(Protocol):
    """Counts calls and what they consumed."""

    def call(self, target: Target, operation: Operation) -> AbstractContextManager[None]:
        """Surround one call: time it, and count how it ends."""

    def consumed(self, target: Target, usage: Usage) -> None:
        """Count tokens and money."""


@dataclass(slots=True, kw_only=True)
class Attempt:
    """One attempt of a job while it runs: what to ask, and how far it has come."""

    operation: Operation
    targets: Sequence[Target]
    body: bytes
    on_chunk: OnChunk | None = None
    """Set for a stream."""
    target: Target | None = field(default=None, init=False)
    """The one that is being called."""
    assembly: Assembly | None = field(default=None, init=False)
    """What has been streamed; None before the first chunk."""


class Caller:
    """Calls providers and prices what they answer."""

    def __init__(self, providers: Providers, prices: PriceList, meter: Meter) -> None:
        self._providers = providers
        self._prices = prices
        self._meter = meter

    async def call(self, attempt: Attempt) -> Outcome:
        """Call each target until one answers; the next one only while nothing has been streamed."""
        error: PenstockError | None = None
        for target in attempt.targets:
            attempt.target = target
            try:
                with self._meter.call(target, attempt.operation):
                    return await self._one(attempt, target)
            except PenstockError as failure:
                error = failure.with_traceback(None)  # which knows this frame, and so would keep the body
                retry_elsewhere = isinstance(failure, ProviderError) and failure.retryable
                if attempt.assembly is not None or not retry_elsewhere:
                    break
        if error is None:
            raise ValueError("an attempt needs a target")
        return self.broken_off(attempt, JobStatus.FAILED, error)

    def broken_off(self, attempt: Attempt, status: JobStatus, error: PenstockError) -> Outcome:
        """End an attempt that has no proper answer, with what had arrived and what that consumed.

        Providers report usage at the end of a stream. For one that was cut it is estimated, because what
        was generated is billed all the same. FAILED becomes INCOMPLETE once something was streamed.
        """
        target, assembly = attempt.target, attempt.assembly
        if target is None or assembly is None:
            provider, model = (target.provider, target.model) if target else (None, None)
            return Outcome(status=status, error=error, provider=provider, provider_model=model)
        tokens = assembly.tokens or estimated_tokens(attempt.body, assembly.pieces)
        partial = ProviderAnswer(body=b"", tokens=tokens)
        if status is JobStatus.FAILED:
            status = JobStatus.INCOMPLETE
            partial = ProviderAnswer(body=assembly.answer(), tokens=tokens)
        return self._ended(attempt, target, status, partial, error)

    async def _one(self, attempt: Attempt, target: Target) -> Outcome:
        provider = self._providers.of(target)
        call = ProviderCall(operation=attempt.operation, model=target.model, body=attempt.body)
        if attempt.on_chunk is None:
            answer = await provider.complete(call)
        else:
            answer = await self._stream(attempt, provider, call, attempt.on_chunk)
        return self._ended(attempt, target, JobStatus.COMPLETED, answer, None)

    async def _stream(
        self, attempt: Attempt, provider: Provider, call: ProviderCall, on_chunk: OnChunk
    ) -> ProviderAnswer:
        assembly = Assembly(attempt.operation)
        async with aclosing(provider.stream(call)) as chunks:
            async for chunk in chunks:
                attempt.assembly = assembly
                assembly.add(chunk.data)
                on_chunk(chunk)
        tokens = assembly.tokens or estimated_tokens(attempt.body, assembly.pieces)
        return ProviderAnswer(body=assembly.answer(), tokens=tokens)

    def _ended(
        self,
        attempt: Attempt,
        target: Target,
        status: JobStatus,
        answer: ProviderAnswer,
        error: PenstockError | None,
    ) -> Outcome:
        usage = usage_of(self._prices, target, attempt.operation, attempt.body, answer)
        self._meter.consumed(target, usage)
        return Outcome(
            status=status,
            body=answer.body,
            error=error,
            provider=target.provider,
            provider_model=target.model,
            usage=usage,
        )
