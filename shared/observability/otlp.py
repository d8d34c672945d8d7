"""Spans recorded by the OpenTelemetry SDK and exported over OTLP/HTTP, in batches, in the background."""

import os
import socket

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import SpanKind, Status, StatusCode

from shared.observability.attributes import ERROR_TYPE
from shared.observability.traceparent import TraceParent
from shared.observability.tracing import Attribute, Attributes, Kind

_TRACES_PATH = "/v1/traces"
_EXPORT_TIMEOUT_S = 3.0


class OtlpTracer:
    """Records spans and sends them to a collector; one that is down costs spans, never requests.

    Args:
        endpoint: Base URL of the collector, or the whole URL with ``/v1/traces``. Headers for it come
            from ``OTEL_EXPORTER_OTLP_HEADERS``.
        sample_ratio: Share of the traces that begin here to record, 0 to 1.
        service: Exported as ``penstock-<service>``.
    """

    def __init__(self, endpoint: str, *, sample_ratio: float, service: str) -> None:
        url = endpoint.rstrip("/").removesuffix(_TRACES_PATH) + _TRACES_PATH
        self._provider = TracerProvider(
            sampler=ParentBased(TraceIdRatioBased(sample_ratio)),
            resource=Resource.create(
                {
                    "service.name": f"penstock-{service}",
                    "service.namespace": "penstock",
                    "service.instance.id": f"{socket.gethostname()}:{os.getpid()}",
                }
            ),
            shutdown_on_exit=False,
        )
        exporter = OTLPSpanExporter(endpoint=url, timeout=_EXPORT_TIMEOUT_S)
        self._provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=1000))
        self._tracer = self._provider.get_tracer("penstock")

    def start(
        self, name: str, *, parent: TraceParent | None, kind: Kind, attributes: Attributes | None
    ) -> "OtlpSpan":
        """Begin a span; without a parent it begins a trace."""
        return OtlpSpan(
            self._tracer.start_span(
                name,
                context=trace.set_span_in_context(trace.NonRecordingSpan(_span_context(parent))),
                kind=SpanKind[kind.upper()],
                attributes=attributes,
                record_exception=False,
            )
        )

    def shutdown(self) -> None:
        """Export what is left, for some seconds at most."""
        self._provider.shutdown()


class OtlpSpan:
    """One span of the SDK."""

    __slots__ = ("_span", "context")

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        own = span.get_span_context()
        self.context = TraceParent(
            trace_id=trace.format_trace_id(own.trace_id),
            span_id=trace.format_span_id(own.span_id),
            sampled=own.trace_flags.sampled,
        )

    def set(self, name: str, value: Attribute) -> None:
        """Note something about it."""
        self._span.set_attribute(name, value)

    def end(self, error: BaseException | None) -> None:
        """Finish it. Of an error only the class is exported: its text can quote a prompt."""
        if error is not None:
            self._span.set_attribute(ERROR_TYPE, type(error).__qualname__)
            self._span.set_status(Status(StatusCode.ERROR))
        self._span.end()


def _span_context(parent: TraceParent | None) -> trace.SpanContext:
    if parent is None:
        return trace.INVALID_SPAN_CONTEXT
    return trace.SpanContext(
        trace_id=int(parent.trace_id, 16),
        span_id=int(parent.span_id, 16),
        is_remote=True,
        trace_flags=trace.TraceFlags(trace.TraceFlags.SAMPLED if parent.sampled else 0),
    )
