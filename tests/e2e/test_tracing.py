"""One trace from the caller through ingress and the broker to the provider call, and one set of log ids."""

import json
from collections.abc import Iterator

import pytest

from tests.support.collector import Collector, running_collector
from tests.support.fleet import Fleet, running_fleet

pytestmark = pytest.mark.e2e

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = f"00-{TRACE}-00f067aa0ba902b7-01"
BODY = {"model": "simulator/echo", "messages": [{"role": "user", "content": "follow me"}]}


@pytest.fixture(scope="module", params=["embedded", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)])
def traced(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Fleet, Collector]]:
    with running_collector() as collector:
        environment = {"PENSTOCK_TELEMETRY__OTLP_ENDPOINT": collector.url, "PENSTOCK_LOG__LEVEL": "debug"}
        if request.param == "rabbitmq":
            environment["PENSTOCK_BROKER__URL"] = request.getfixturevalue("fresh_vhost")()
        with running_fleet(tmp_path_factory.mktemp(f"traced-{request.param}"), environment) as fleet:
            yield fleet, collector


def received(collector: Collector, into: dict[str, set[str]]) -> dict[str, set[str]]:
    """Add the spans of our trace that have arrived to those seen before, by service."""
    while not collector.requests.empty():
        _, export = collector.requests.get()
        for group in export.resource_spans:
            names = {item.key: item.value.string_value for item in group.resource.attributes}
            for scope in group.scope_spans:
                for span in scope.spans:
                    if span.trace_id.hex() == TRACE:
                        into.setdefault(names["service.name"], set()).add(span.name)
    return into


def test_a_callers_trace_reaches_the_provider_call(traced: tuple[Fleet, Collector]) -> None:
    fleet, collector = traced
    status, _, _ = fleet.request("POST", "/v1/chat/completions", BODY, {"traceparent": CALLER})
    assert status == 200
    seen: dict[str, set[str]] = {}
    fleet.wait_until(
        lambda: {"penstock-ingress", "penstock-provider_worker"} <= set(received(collector, seen)),
        "the spans of both services are exported",
    )
    assert len(seen["penstock-provider_worker"]) >= 2, "the consumption and the call"


def test_log_lines_name_request_job_tenant_and_trace(traced: tuple[Fleet, Collector]) -> None:
    fleet, _ = traced
    failing = BODY | {"simulator": {"status": 500}}
    _, headers, _ = fleet.request("POST", "/v1/chat/completions", failing, {"traceparent": CALLER})

    def line() -> dict | None:
        text = (fleet.data_dir / "logs" / "provider_worker.log").read_text()
        lines = (json.loads(line) for line in text.splitlines() if headers["X-Request-Id"] in line)
        return next((line for line in lines if "trace_id" in line), None)

    fleet.wait_until(lambda: line() is not None, "the worker logs the failed call")
    found = line()
    assert found is not None
    assert found["job_id"].replace("-", "") == headers["X-Job-Id"].removeprefix("job_")
    assert found["trace_id"] == TRACE
    assert found["tenant_id"]
