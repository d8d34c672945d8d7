"""Results: records what becomes of jobs.

Consumes ``results.*`` (starts, signs of life, streamed chunks, deferrals, ends), writes them to
PostgreSQL in batches by compare-and-set, and broadcasts which background jobs changed. It owns no table
alone: ``shared.storage.transitions`` is how ingress and the scheduler end jobs, too.
"""
