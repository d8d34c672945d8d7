import asyncio
import socket
import subprocess
import sys
import time
from contextvars import copy_context

import pytest

from shared.config.settings import TelemetrySettings
from shared.observability import attributes
from shared.observability.traceparent import HEADER, TraceParent
from shared.observability.tracing import configure_tracing, current_trace_id, inject, span

CALLER = TraceParent("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")
OFF = TelemetrySettings()


def test_without_an_endpoint_a_callers_trace_is_carried_through():
    with configure_tracing(OFF, service="ingress"):
        assert inject() == {}
        with span("request", parent={HEADER: str(CALLER)}):
            assert inject() == {HEADER: str(CALLER)}
            with span("publish") as inner:
                inner.set(attributes.GEN_AI_REQUEST_MODEL, "m")
                assert inject() == {HEADER: str(CALLER)}
                assert current_trace_id() == CALLER.trace_id
        assert inject() == {}


def test_a_message_without_a_trace_does_not_join_the_one_before():
    with span("first", parent={HEADER: str(CALLER)}), span("second", parent={"traceparent": "rubbish"}):
        assert inject() == {}


def test_without_an_endpoint_nothing_of_opentelemetry_is_imported():
    program = (
        "import sys\n"
        "from shared.config.settings import TelemetrySettings\n"
        "from shared.observability.tracing import configure_tracing, span\n"
        "with configure_tracing(TelemetrySettings(), service='x'), span('y'): pass\n"
        "sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 0


def test_spans_reach_a_collector_as_a_chain_across_processes(collector):
    with configure_tracing(TelemetrySettings(otlp_endpoint=collector.url), service="ingress"):
        with span("request", parent={HEADER: str(CALLER)}, kind="server"):
            with span("publish", kind="producer", attributes={"messaging.system": "rabbitmq"}) as inner:
                inner.set(attributes.MESSAGING_DESTINATION_NAME, "jobs.chat.standard")
                over_the_broker = inject()
            assert current_trace_id() == CALLER.trace_id
        with span("consume", parent=over_the_broker, kind="consumer"):
            pass

    spans, resource = collector.spans()
    assert resource["service.name"] == "penstock-ingress"
    assert {found.trace_id.hex() for found in spans.values()} == {CALLER.trace_id}
    assert spans["request"].parent_span_id.hex() == CALLER.span_id
    assert spans["publish"].parent_span_id == spans["request"].span_id
    assert spans["consume"].parent_span_id == spans["publish"].span_id
    assert [spans[name].kind for name in ("request", "publish", "consume")] == [2, 4, 5]
    assert {item.key: item.value.string_value for item in spans["publish"].attributes} == {
        "messaging.system": "rabbitmq",
        "messaging.destination.name": "jobs.chat.standard",
    }


def test_a_trace_begins_where_nobody_brought_one(collector):
    endpoint = f"{collector.url}/v1/traces"
    with configure_tracing(TelemetrySettings(otlp_endpoint=endpoint), service="worker"), span("sweep"):
        header = TraceParent.parse(inject()[HEADER])

    assert collector.requests.get_nowait()[0] == "/v1/traces"
    assert header is not None


def test_an_error_is_exported_by_its_class_and_never_by_its_text(collector):
    with (
        configure_tracing(TelemetrySettings(otlp_endpoint=collector.url), service="worker"),
        pytest.raises(RuntimeError),
        span("call"),
    ):
        raise RuntimeError("the prompt was: canary")

    spans, _ = collector.spans()
    assert spans["call"].status.code == 2
    assert "canary" not in str(spans)
    assert 'string_value: "RuntimeError"' in str(spans["call"])


def test_a_caller_who_does_not_sample_is_not_sampled(collector):
    parent = TraceParent(CALLER.trace_id, CALLER.span_id, sampled=False)
    settings = TelemetrySettings(otlp_endpoint=collector.url)
    with configure_tracing(settings, service="worker"), span("call", parent={HEADER: str(parent)}):
        assert inject()[HEADER].startswith(f"00-{CALLER.trace_id}-")
        assert inject()[HEADER].endswith("-00")
    assert collector.spans() == ({}, {})


async def test_each_task_has_its_own_trace(collector):
    async def one(number):
        async with asyncio.timeout(5):
            with span(f"task {number}"):
                await asyncio.sleep(0)
                return current_trace_id()

    with configure_tracing(TelemetrySettings(otlp_endpoint=collector.url), service="worker"):
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(number)) for number in range(5)]
    assert len({task.result() for task in tasks}) == 5


def test_a_span_may_end_in_another_context_than_it_began_in(collector):
    with configure_tracing(TelemetrySettings(otlp_endpoint=collector.url), service="ingress"):
        scope = span("stream")
        copy_context().run(scope.__enter__)
        scope.__exit__(None, None, None)
    assert set(collector.spans()[0]) == {"stream"}


def test_a_collector_that_is_away_does_not_hold_the_process_for_long():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{taken.getsockname()[1]}"
        began = time.monotonic()
        with configure_tracing(TelemetrySettings(otlp_endpoint=endpoint), service="worker"), span("x"):
            pass
        assert time.monotonic() - began < 8


def test_the_names_of_attributes_are_the_current_ones():
    from opentelemetry.semconv._incubating.attributes import gen_ai_attributes, messaging_attributes
    from opentelemetry.semconv.attributes import error_attributes

    ours = {name: value for name, value in vars(attributes).items() if name.isupper()}
    theirs = vars(gen_ai_attributes) | vars(messaging_attributes) | vars(error_attributes)
    assert ours == {name: theirs[name] for name in ours}
