"""What webhook delivery counts."""

from prometheus_client import Counter, Gauge, Histogram

ATTEMPTS = Counter(
    "penstock_webhook_attempts", "Attempts to deliver, by what becomes of the delivery", ["outcome"]
)
ERRORS = Counter("penstock_webhook_errors", "Attempts that failed, by reason", ["error"])
SECONDS = Histogram(
    "penstock_webhook_request_seconds",
    "Duration of one request to a receiver",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15),
)
LATENCY = Histogram(
    "penstock_webhook_first_attempt_seconds",
    "From the event to the end of the first attempt to deliver it",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300),
)
IN_FLIGHT = Gauge("penstock_webhook_in_flight", "Deliveries that this process is making")
DUE = Gauge("penstock_webhook_due", "Deliveries that are due and wait for a sender, in the whole fleet")
OLDEST_DUE = Gauge("penstock_webhook_oldest_due_seconds", "How long the oldest of them has been due")
DISABLED = Counter("penstock_webhook_endpoints_disabled", "Endpoints disabled, by reason", ["reason"])
