"""What Prometheus is told about HTTP; ``/metrics`` of the admin port shows it."""

from functools import lru_cache

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter("penstock_http_requests", "Requests answered.", ("method", "route", "status"))
LATENCY = Histogram(
    "penstock_http_request_seconds",
    "Time from the request's headers to the end of its answer.",
    ("route",),
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)
IN_FLIGHT = Gauge("penstock_http_requests_in_flight", "Requests being answered.")


@lru_cache(maxsize=1024)
def request_counter(method: str, route: str, status: int) -> Counter:
    """Return the counter of one kind of answer."""
    return REQUESTS.labels(method, route, status)


@lru_cache(maxsize=256)
def latency_of(route: str) -> Histogram:
    """Return the histogram of one route."""
    return LATENCY.labels(route)
