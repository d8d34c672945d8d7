"""What the results service counts."""

from prometheus_client import Counter, Histogram

MESSAGES = Counter("penstock_results_messages", "Records taken, by type", ["type"])
IGNORED = Counter("penstock_results_ignored", "Records that came twice or too late")
ENDED = Counter("penstock_results_jobs_ended", "Jobs that reached a final state", ["status"])
BATCH_SIZE = Histogram(
    "penstock_results_batch_size",
    "Records in one transaction",
    buckets=(1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500),
)
BATCH_SECONDS = Histogram("penstock_results_batch_seconds", "Duration of one batch, commit included")
