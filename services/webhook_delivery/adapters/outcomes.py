"""Writes what became of deliveries, and what that means for their endpoints."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import structlog

from services.webhook_delivery import metrics
from services.webhook_delivery.domain.delivery import Error, Outcome, Verdict
from shared.contracts.ids import public_id
from shared.errors import DatabaseUnavailableError
from shared.runtime.crash_points import CrashPoint, crash_points
from shared.storage.postgres import Connection, Database
from shared.storage.webhook_events import ENDPOINT_PREFIX, Event
from shared.storage.webhook_planning import plan_event

_log = structlog.get_logger(__name__)

_LOCK = """
SELECT id FROM webhook_deliveries WHERE id = ANY($1::uuid[]) AND id BETWEEN $2 AND $3 ORDER BY id FOR UPDATE
"""

# Only who still has the claim says anything: after a lost lease, or a redelivery, another sender does.
_RECORD = """
WITH o AS (
    SELECT * FROM unnest($1::uuid[], $4::integer[], $5::text[], $6::timestamptz[], $7::timestamptz[],
                         $8::integer[], $9::text[], $10::integer[], $11::text[])
    AS o(id, claim, status, retry_at, tried_at, response_status, excerpt, duration_ms, error)
), done AS (
    DELETE FROM webhook_queue q USING o
    WHERE q.delivery_id = ANY($1::uuid[]) AND q.delivery_id = o.id AND q.claim = o.claim
      AND o.retry_at IS NULL
    RETURNING q.delivery_id
), again AS (
    UPDATE webhook_queue q SET due_at = o.retry_at, failures = q.failures + 1 FROM o
    WHERE q.delivery_id = ANY($1::uuid[]) AND q.delivery_id = o.id AND q.claim = o.claim
      AND o.retry_at IS NOT NULL
    RETURNING q.delivery_id
), healthy AS (
    UPDATE webhook_endpoints SET failing_since = NULL
    WHERE id = ANY($12::uuid[]) AND failing_since IS NOT NULL
)
UPDATE webhook_deliveries d SET
    status = o.status,
    attempts = d.attempts + (o.tried_at IS NOT NULL)::integer,
    last_attempt_at = coalesce(o.tried_at, d.last_attempt_at),
    next_attempt_at = o.retry_at,
    finished_at = CASE WHEN o.retry_at IS NULL THEN now() END,
    response_status = o.response_status,
    response_excerpt = o.excerpt,
    duration_ms = o.duration_ms,
    error = o.error,
    earlier = CASE WHEN d.last_attempt_at IS NULL THEN d.earlier
        ELSE CASE WHEN jsonb_array_length(d.earlier) >= 20 THEN d.earlier - 0 ELSE d.earlier END
            || jsonb_build_object('at', floor(extract(epoch FROM d.last_attempt_at))::bigint,
                'response_status', d.response_status, 'response_excerpt', d.response_excerpt,
                'duration_ms', d.duration_ms, 'error', d.error) END
FROM o
WHERE d.id = ANY($1::uuid[]) AND d.id BETWEEN $2 AND $3 AND d.id = o.id
  AND d.id IN (SELECT delivery_id FROM done UNION ALL SELECT delivery_id FROM again)
"""

_FAILING = """
UPDATE webhook_endpoints SET failing_since = now()
WHERE id = ANY($1::uuid[]) AND enabled AND failing_since IS NULL
"""

_DISABLE = """
UPDATE webhook_endpoints SET enabled = false, disabled_at = now(), updated_at = now(),
    disabled_reason = CASE WHEN id = ANY($2::uuid[]) THEN 'gone' ELSE 'failing' END
WHERE id = ANY($1::uuid[]) AND enabled AND (id = ANY($2::uuid[]) OR failing_since <= now() - $3::interval)
RETURNING id, tenant_id, disabled_reason
"""

_STATUS = {Verdict.DELIVERED: "delivered", Verdict.RETRY: "pending", Verdict.FAILED: "failed"}


class OutcomesTable:
    """See ``OutcomeStore``.

    Args:
        database: Acts as ``penstock_system``.
        disable_after_s: An endpoint that has only failed for so long is disabled.
    """

    def __init__(self, database: Database, *, disable_after_s: float) -> None:
        self._database = database
        self._disable_after = timedelta(seconds=disable_after_s)

    async def write(self, outcomes: Sequence[Outcome]) -> None:
        """See ``OutcomeStore.write``."""
        try:
            async with self._database.transaction() as connection:
                await self._write(connection, outcomes)
            crash_points.reach(CrashPoint.DELIVER_RECORDED)
        except asyncpg.PostgresError as error:  # a deadlock, a migration still to come, a broken disk
            raise DatabaseUnavailableError(f"PostgreSQL cannot record now ({error.sqlstate}).") from error

    async def _write(self, connection: Connection, outcomes: Sequence[Outcome]) -> None:
        rows = [_row(outcome) for outcome in outcomes]
        ids, *columns = map(list, zip(*rows, strict=True))
        bounds = (min(ids), max(ids))
        await connection.fetch(_LOCK, ids, *bounds)
        well = _endpoints(one for one in outcomes if one.verdict is Verdict.DELIVERED)
        gone = _endpoints(one for one in outcomes if one.gone)
        badly = _endpoints(one for one in outcomes if _is_the_receivers(one))
        await connection.execute(_RECORD, ids, *bounds, *columns, list(well))
        if badly - well or gone:
            await self._note_failures(connection, list(badly - well | gone), list(gone))

    async def _note_failures(self, connection: Connection, failed: list[UUID], gone: list[UUID]) -> None:
        await connection.execute(_FAILING, failed)
        for row in await connection.fetch(_DISABLE, failed, gone, self._disable_after):
            name, reason = public_id(ENDPOINT_PREFIX, row["id"]), row["disabled_reason"]
            metrics.DISABLED.labels(reason).inc()
            _log.warning("webhook endpoint disabled", endpoint_id=name, reason=reason)
            data = {"id": name, "object": "webhook_endpoint", "enabled": False, "disabled_reason": reason}
            event = Event(type="webhook_endpoint.disabled", data=data)
            await plan_event(connection, event, tenant_id=row["tenant_id"])


def _endpoints(outcomes: Iterable[Outcome]) -> set[UUID]:
    named = (outcome.delivery.endpoint_id for outcome in outcomes)
    return {endpoint_id for endpoint_id in named if endpoint_id is not None}


def _is_the_receivers(outcome: Outcome) -> bool:
    """Whether an attempt failed by what the receiver did."""
    return outcome.attempt is not None and outcome.error not in (None, Error.SECRET_UNREADABLE)


def _row(outcome: Outcome) -> tuple[object, ...]:
    attempt, retry_in_s = outcome.attempt, outcome.retry_in_s
    return (
        outcome.delivery.id,
        outcome.delivery.claim,
        _STATUS[outcome.verdict],
        None if retry_in_s is None else datetime.now(UTC) + timedelta(seconds=retry_in_s),
        None if attempt is None else attempt.at,
        None if attempt is None else attempt.status,
        None if attempt is None else attempt.excerpt,
        None if attempt is None else round(attempt.duration_s * 1000),
        None if outcome.error is None else outcome.error.value,
    )
