"""What the scheduler counts."""

from prometheus_client import Counter, Gauge

LEADER = Gauge("penstock_scheduler_leader", "1 while this process leads")
OLDEST_UNPUBLISHED = Gauge(
    "penstock_outbox_oldest_unpublished_seconds", "How long the oldest due job has waited for its publish"
)
SWEPT = Counter("penstock_outbox_swept", "Jobs published by the sweep")
NOT_PUBLISHED = Counter("penstock_outbox_failed", "Publishes of the sweep that failed, by error", ["code"])
REPUBLISHED = Counter("penstock_jobs_silent", "Jobs put on the broker again because they fell silent")
REAPED = Counter("penstock_jobs_reaped", "Jobs expired at their deadline")
PARTITIONS_DROPPED = Counter("penstock_partitions_dropped", "Days of jobs dropped by retention")
BODIES_DROPPED = Counter("penstock_bodies_dropped", "Bodies dropped by retention")
KEYS_DROPPED = Counter("penstock_idempotency_keys_dropped", "Idempotency keys dropped by retention")
BATCHES = Counter("penstock_batches", "Batches by what became of them", ["status"])
BATCH_REQUESTS = Counter(
    "penstock_batch_requests", "Requests of batches: inserted as jobs; then written down", ["what"]
)
PROVIDER_BATCHES = Counter("penstock_provider_batches", "Batches at providers by their end", ["state"])
PROVIDER_BATCH_ANSWERS = Counter("penstock_provider_batch_answers", "Answers that came from them")
FILES_REMOVED = Counter("penstock_files_removed", "Files removed with their content")
ERASED = Counter("penstock_jobs_erased", "Jobs whose contents were erased when their time was over")
FAILURES = Counter("penstock_scheduler_failures", "Rounds that failed and are repeated", ["task"])
