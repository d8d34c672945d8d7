"""The metrics that every service has; a service's own are declared where they are counted."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric

from shared import __version__


class ServiceMetrics:
    """What this process is, and which of its dependencies were up when last asked."""

    def __init__(self) -> None:
        self._up: Mapping[str, bool] = {}

    def report(self, dependencies: Mapping[str, str]) -> None:
        """Take over a health report: a word for each dependency, ``ok`` or what is wrong."""
        self._up = {name: word == "ok" for name, word in dependencies.items()}

    def collect(self) -> Iterable[Metric]:
        """Answer a scrape."""
        build = InfoMetricFamily("penstock_build", "Version of Penstock.")
        build.add_metric((), {"version": __version__})
        yield build
        up = GaugeMetricFamily(
            "penstock_dependency_up", "1 where a dependency answered.", labels=("dependency",)
        )
        for name, answered in self._up.items():
            up.add_metric((name,), float(answered))
        yield up


@contextmanager
def service_metrics(registry: CollectorRegistry = REGISTRY) -> Iterator[ServiceMetrics]:
    """Expose the common metrics for as long as the block runs."""
    metrics = ServiceMetrics()
    registry.register(metrics)
    try:
        yield metrics
    finally:
        registry.unregister(metrics)
