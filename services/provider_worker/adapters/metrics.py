"""What a worker counts and traces of its provider calls."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from shared.config.catalog import Target
from shared.contracts.jobs import Operation, Usage
from shared.errors import PenstockError
from shared.observability.attributes import (
    GEN_AI_OPERATION_NAME,
    GEN_AI_PROVIDER_NAME,
    GEN_AI_REQUEST_MODEL,
)
from shared.observability.tracing import Attributes, span

_MOST_MODELS = 500
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)


class WorkerMetrics:
    """Prometheus metrics of provider calls.

    Callers choose model names, so a model becomes a label only once a call to it has succeeded, and only
    so many of them; the rest count as ``other``.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._seconds = Histogram(
            "penstock_provider_call_seconds",
            "Duration of provider calls, streams to their end.",
            ("provider", "operation"),
            buckets=_SECONDS,
            registry=registry,
        )
        self._calls = Counter(
            "penstock_provider_calls",
            "Provider calls by how they ended: ok, cancelled, or the code of the error.",
            ("provider", "model", "operation", "outcome"),
            registry=registry,
        )
        self._tokens = Counter(
            "penstock_provider_tokens",
            "Tokens by kind: input (cached ones included), cached, output.",
            ("provider", "model", "kind"),
            registry=registry,
        )
        self._cost = Counter(
            "penstock_provider_cost_microusd",
            "Cost of the calls whose price is known, in millionths of a US dollar.",
            ("provider", "model"),
            registry=registry,
        )
        self._running = Gauge(
            "penstock_provider_calls_running", "Provider calls under way.", ("provider",), registry=registry
        )
        self._models: set[tuple[str, str]] = set()

    @contextmanager
    def call(self, target: Target, operation: Operation) -> Iterator[None]:
        """Surround one call: trace it, time it, and count how it ends."""
        started = time.perf_counter()
        running = self._running.labels(target.provider)
        running.inc()
        outcome = "cancelled"
        try:
            with span(
                f"{operation} {target.provider}", kind="client", attributes=_attributes(target, operation)
            ):
                yield
            outcome = "ok"
            if len(self._models) < _MOST_MODELS:
                self._models.add((target.provider, target.model))
        except Exception as error:
            outcome = error.code if isinstance(error, PenstockError) else "internal_error"
            raise
        finally:
            running.dec()
            self._seconds.labels(target.provider, operation.value).observe(time.perf_counter() - started)
            self._calls.labels(target.provider, self._model(target), operation.value, outcome).inc()

    def consumed(self, target: Target, usage: Usage) -> None:
        """Count tokens and money."""
        model = self._model(target)
        for kind, tokens in (
            ("input", usage.input_tokens),
            ("cached", usage.cached_tokens),
            ("output", usage.output_tokens),
        ):
            if tokens:
                self._tokens.labels(target.provider, model, kind).inc(tokens)
        if usage.cost_microusd:
            self._cost.labels(target.provider, model).inc(usage.cost_microusd)

    def _model(self, target: Target) -> str:
        return target.model if (target.provider, target.model) in self._models else "other"


def _attributes(target: Target, operation: Operation) -> Attributes:
    return {
        GEN_AI_OPERATION_NAME: operation.value,
        GEN_AI_PROVIDER_NAME: target.provider,
        GEN_AI_REQUEST_MODEL: target.model,
    }
