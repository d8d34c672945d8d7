"""Traces that cross the broker; exported over OTLP/HTTP when an endpoint is configured.

Without an endpoint nothing of OpenTelemetry is imported, and a span only carries the caller's
``traceparent`` on, so that the trace of a caller holds together whoever exports it.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar, Token
from typing import Literal, Protocol, Self

from shared.config.settings import TelemetrySettings
from shared.observability.traceparent import HEADER, TraceParent

Kind = Literal["internal", "server", "client", "producer", "consumer"]
Attribute = str | bool | int | float | tuple[str, ...]
Attributes = Mapping[str, Attribute]


class Span(Protocol):
    """A piece of work under way."""

    def set(self, name: str, value: Attribute) -> None:
        """Note something about it, under one of the names in ``shared.observability.attributes``."""


class Tracer(Protocol):
    """Whoever records spans."""

    def start(
        self, name: str, *, parent: TraceParent | None, kind: Kind, attributes: Attributes | None
    ) -> "RecordedSpan":
        """Begin a span."""


class RecordedSpan(Span, Protocol):
    """A span that goes somewhere."""

    @property
    def context(self) -> TraceParent:
        """What its children have as their parent."""

    def end(self, error: BaseException | None) -> None:
        """Finish it; its duration ends here."""


_tracer: ContextVar[Tracer | None] = ContextVar("penstock_tracer", default=None)
_current: ContextVar[TraceParent | None] = ContextVar("penstock_traceparent", default=None)


@contextmanager
def configure_tracing(settings: TelemetrySettings, service: str) -> Iterator[None]:
    """Record the spans of everything that runs inside; what is left is exported at the end, bounded.

    Args:
        settings: The endpoint and how much to sample; a caller's decision to sample comes first.
        service: Its name; exported as ``penstock-<service>``.
    """
    if settings.otlp_endpoint is None:
        yield
        return
    from shared.observability.otlp import OtlpTracer  # noqa: PLC0415 - imports the SDK

    tracer = OtlpTracer(settings.otlp_endpoint, sample_ratio=settings.sample_ratio, service=service)
    token = _tracer.set(tracer)
    try:
        yield
    finally:
        _tracer.reset(token)
        tracer.shutdown()


def inject() -> dict[str, str]:
    """Make the header that carries the current trace on; empty outside of one."""
    current = _current.get()
    return {} if current is None else {HEADER: str(current)}


def current_trace_id() -> str | None:
    """Name the current trace by its 32 hexadecimal digits."""
    current = _current.get()
    return None if current is None else current.trace_id


def span(
    name: str,
    *,
    parent: Mapping[str, str] | None = None,
    kind: Kind = "internal",
    attributes: Attributes | None = None,
) -> AbstractContextManager[Span]:
    """Trace a block.

    Args:
        name: Low cardinality, e.g. ``chat openai`` or ``publish jobs.chat.interactive``.
        parent: Headers (lower case) that may hold a ``traceparent``; None means the enclosing span.
        kind: Its role.
        attributes: What is known at the start; a sampler may look at them.
    """
    return _Scope(name, parent, kind, attributes)


class _Scope:
    """A span from ``with`` to its end. A class, since a generator would cost twice as much."""

    __slots__ = ("_attributes", "_kind", "_name", "_parent", "_recorded", "_token")

    def __init__(
        self, name: str, parent: Mapping[str, str] | None, kind: Kind, attributes: Attributes | None
    ) -> None:
        self._name = name
        self._parent = parent
        self._kind: Kind = kind
        self._attributes = attributes
        self._recorded: RecordedSpan | None = None
        self._token: Token[TraceParent | None] | None = None

    def __enter__(self) -> Self:
        context = _current.get()
        if self._parent is not None:
            context = TraceParent.parse(self._parent.get(HEADER))
        tracer = _tracer.get()
        if tracer is not None:
            self._recorded = tracer.start(
                self._name, parent=context, kind=self._kind, attributes=self._attributes
            )
            context = self._recorded.context
        self._token = _current.set(context)
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if self._token is not None:
            try:
                _current.reset(self._token)
            except ValueError:
                # A stream may be finished by another task than began it; that task's trace is not ours.
                self._token = None
        if self._recorded is not None:
            self._recorded.end(error)

    def set(self, name: str, value: Attribute) -> None:
        if self._recorded is not None:
            self._recorded.set(name, value)
