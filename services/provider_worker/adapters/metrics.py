"""What a worker counts and traces of its provider calls."""

import time
from types import TracebackType
from typing import TypeVar, cast

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
_OK = "ok"
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)

M = TypeVar("M", Counter, Gauge, Histogram)


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
        self._series: dict[tuple[object, tuple[str, ...]], object] = {}

    def call(self, target: Target, operation: Operation) -> "Call":
        """Surround one call: trace it, time it, and count how it ends."""
        return Call(self, target, operation)

    def began(self, provider: str) -> None:
        """Count a call that is under way."""
        self._of(self._running, provider).inc()

    def ended(self, target: Target, operation: Operation, outcome: str, seconds: float) -> None:
        """Count how it ended."""
        provider = target.provider
        if outcome == _OK and len(self._models) < _MOST_MODELS:
            self._models.add((provider, target.model))
        self._of(self._running, provider).dec()
        self._of(self._seconds, provider, operation.value).observe(seconds)
        self._of(self._calls, provider, self._model(target), operation.value, outcome).inc()

    def consumed(self, target: Target, usage: Usage) -> None:
        """Count tokens and money."""
        model = self._model(target)
        for kind, tokens in (
            ("input", usage.input_tokens),
            ("cached", usage.cached_tokens),
            ("output", usage.output_tokens),
        ):
            if tokens:
                self._of(self._tokens, target.provider, model, kind).inc(tokens)
        if usage.cost_microusd:
            self._of(self._cost, target.provider, model).inc(usage.cost_microusd)

    def _of(self, metric: M, *labels: str) -> M:
        """Find the series of labels; the library's own look-up costs as much as the counting."""
        found = self._series.get((metric, labels))
        if found is None:
            found = self._series[metric, labels] = metric.labels(*labels)
        return cast("M", found)

    def _model(self, target: Target) -> str:
        return target.model if (target.provider, target.model) in self._models else "other"


class Call:
    """One provider call from ``with`` to its end. A class, since a generator would cost twice as much."""

    __slots__ = ("_began_at", "_metrics", "_operation", "_span", "_target")

    def __init__(self, metrics: WorkerMetrics, target: Target, operation: Operation) -> None:
        self._metrics = metrics
        self._target = target
        self._operation = operation
        self._span = span(
            f"{operation} {target.provider}", kind="client", attributes=_attributes(target, operation)
        )
        self._began_at = time.perf_counter()

    def __enter__(self) -> None:
        self._began_at = time.perf_counter()
        self._metrics.began(self._target.provider)
        self._span.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._span.__exit__(kind, error, trace)
        seconds = time.perf_counter() - self._began_at
        self._metrics.ended(self._target, self._operation, _outcome(error), seconds)


def _outcome(error: BaseException | None) -> str:
    match error:
        case None:
            return _OK
        case PenstockError():
            return error.code
        case Exception():
            return "internal_error"
        case _:
            return "cancelled"


def _attributes(target: Target, operation: Operation) -> Attributes:
    return {
        GEN_AI_OPERATION_NAME: operation.value,
        GEN_AI_PROVIDER_NAME: target.provider,
        GEN_AI_REQUEST_MODEL: target.model,
    }
