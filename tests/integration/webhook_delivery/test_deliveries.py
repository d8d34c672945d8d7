"""The service as it runs: from the event to the receiver and the record."""

import time
from datetime import UTC, datetime

import openai
import orjson
import pytest
from aiohttp import web
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from shared.contracts.ids import new_id
from shared.contracts.jobs import JobStatus
from shared.runtime.health import Health
from shared.security.webhook_signatures import verify
from shared.storage.transitions import JobEnd, finish_jobs
from shared.storage.webhook_planning import plan_test
from shared.storage.webhook_redelivery import DeliveryFilter, matching_deliveries, redeliver
from shared.storage.webhook_secrets import create_secret, rotate_secret
from tests.support.receiver import Receiver
from tests.support.store import Jobs, until
from tests.support.webhooks import Hooks


async def test_an_event_reaches_its_endpoint_and_official_clients_verify_it(
    service: Health, hooks: Hooks, receiver: Receiver
) -> None:
    endpoint = await hooks.endpoint(f"{receiver.url}/hook?a=b")
    assert await hooks.happen(endpoint.tenant) == 1

    (got,) = await receiver.until(1)
    (row,) = await until(lambda: hooks.ended(endpoint.tenant))

    assert got.path == "/hook?a=b"
    assert got.headers["content-type"] == "application/json"
    assert got.headers["user-agent"].startswith("Penstock-Webhooks/")
    assert Webhook(endpoint.secret).verify(got.body, got.headers) == got.event
    verify(endpoint.secret, got.headers, got.body, now=time.time())
    client = openai.OpenAI(api_key="-", webhook_secret=endpoint.secret)
    unwrapped = client.webhooks.unwrap(got.body, got.headers)
    assert unwrapped.type == "batch.completed"
    assert unwrapped.id == got.id == got.event["id"]
    assert unwrapped.data.id == got.event["data"]["id"]
    assert datetime.fromisoformat(got.event["timestamp"]).tzinfo is not None
    assert (row["status"], row["attempts"], row["response_status"]) == ("delivered", 1, 204)
    assert row["error"] is row["next_attempt_at"] is None
    assert row["finished_at"] is not None
    assert await hooks.queued(endpoint.tenant) == []


async def test_a_jobs_end_is_told_to_its_own_url_and_to_the_endpoints_that_want_it(
    service: Health, hooks: Hooks, receiver: Receiver, jobs: Jobs
) -> None:
    job = await jobs.submit()
    await hooks.endpoint(f"{receiver.url}/wanted", tenant=job.tenant, events=["job.*"])
    await hooks.endpoint(f"{receiver.url}/exact", tenant=job.tenant, events=["x.y", "job.completed"])
    await hooks.endpoint(f"{receiver.url}/other", tenant=job.tenant, events=["batch.*", "job.failed"])
    await hooks.endpoint(f"{receiver.url}/stranger")
    await jobs.execute(
        "UPDATE jobs SET metadata = '{\"a\": 1}', webhook = jsonb_build_object('url', $2::text) "
        "WHERE id = $1",
        job.id,
        f"{receiver.url}/own",
    )
    end = JobEnd(job_id=job.id, status=JobStatus.COMPLETED, finished_at=datetime.now(UTC), result="[1]")
    async with hooks.app.transaction(job.tenant) as connection:
        await finish_jobs(connection, [end])

    received = await receiver.until(3)
    rows = await until(lambda: hooks.ended(job.tenant, 3))

    assert sorted(got.path for got in received) == ["/exact", "/own", "/wanted"]
    assert len({got.id for got in received}) == 1
    (event,) = {got.body: got.event for got in received}.values()
    assert event["type"] == "job.completed"
    assert event["data"]["id"] == f"job_{job.id.hex}"
    assert event["data"]["status"] == "completed"
    assert event["data"]["metadata"] == {"a": 1}
    assert "result" not in event["data"]
    assert {row["status"] for row in rows} == {"delivered"}
    async with hooks.app.transaction(job.tenant) as connection:
        secret = await create_secret(connection, hooks.box, tenant_id=job.tenant, endpoint_id=None)
    (own,) = [got for got in received if got.path == "/own"]
    Webhook(secret).verify(own.body, own.headers)


async def test_a_job_that_names_events_hears_of_no_others(hooks: Hooks, jobs: Jobs) -> None:
    wanted, unwanted = await jobs.submit(), await jobs.submit()
    for job, events in ((wanted, '["job.failed", "job.exp*"]'), (unwanted, '["job.completed"]')):
        await jobs.execute(
            "UPDATE jobs SET webhook = jsonb_build_object('url', 'https://example.com', "
            "'events', $2::text::jsonb) WHERE id = $1",
            job.id,
            events,
        )
        end = JobEnd(job_id=job.id, status=JobStatus.FAILED, finished_at=datetime.now(UTC))
        async with hooks.system.transaction() as connection:
            await finish_jobs(connection, [end])
    assert [row["event_type"] for row in await hooks.deliveries(wanted.tenant)] == ["job.failed"]
    assert await hooks.deliveries(unwanted.tenant) == []
    await hooks.execute("DELETE FROM webhook_queue")


async def test_both_secrets_sign_while_one_replaces_the_other(
    service: Health, hooks: Hooks, receiver: Receiver
) -> None:
    endpoint = await hooks.endpoint(receiver.url)
    async with hooks.app.transaction(endpoint.tenant) as connection:
        new = await rotate_secret(
            connection, hooks.box, tenant_id=endpoint.tenant, endpoint_id=endpoint.id, overlap_s=60
        )
    await hooks.happen(endpoint.tenant)
    (got,) = await receiver.until(1)
    for secret in (endpoint.secret, new):
        Webhook(secret).verify(got.body, got.headers)
        openai.OpenAI(api_key="-").webhooks.verify_signature(got.body, got.headers, secret=secret)

    async with hooks.app.transaction(endpoint.tenant) as connection:
        await rotate_secret(
            connection, hooks.box, tenant_id=endpoint.tenant, endpoint_id=endpoint.id, overlap_s=0
        )
    await hooks.happen(endpoint.tenant)
    later = (await receiver.until(2))[1]
    for secret in (endpoint.secret, new):  # the older one's longer overlap ended, too
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(later.body, later.headers)


async def test_failures_are_retried_with_the_same_id_until_one_succeeds(
    service: Health, hooks: Hooks, receiver: Receiver
) -> None:
    endpoint = await hooks.endpoint(receiver.url)
    receiver.answers += [web.Response(status=500, text="x" * 5000), web.Response(status=404)]
    await hooks.happen(endpoint.tenant)

    (row,) = await until(lambda: hooks.ended(endpoint.tenant))

    assert (row["status"], row["attempts"], row["error"]) == ("delivered", 3, None)
    earlier = orjson.loads(row["earlier"])
    assert [(one["response_status"], one["error"]) for one in earlier] == [
        (500, "http_status"),
        (404, "http_status"),
    ]
    assert len(earlier[0]["response_excerpt"]) <= 1024
    assert len({got.id for got in receiver.received}) == 1
    for got in receiver.received:
        Webhook(endpoint.secret).verify(got.body, got.headers)
    assert (await hooks.row(endpoint))["failing_since"] is None


async def test_a_delivery_fails_after_its_last_retry_with_an_excerpt_of_the_answer(
    service: Health, hooks: Hooks, receiver: Receiver
) -> None:
    endpoint = await hooks.endpoint(receiver.url)
    receiver.answers += [web.Response(status=503, body=b"no\0t now \xff" + b"x" * 100_000) for _ in range(3)]
    await hooks.happen(endpoint.tenant)

    (row,) = await until(lambda: hooks.ended(endpoint.tenant))

    assert (row["status"], row["attempts"], row["error"]) == ("failed", 3, "http_status")
    assert row["response_status"] == 503
    assert row["response_excerpt"].startswith("no\ufffdt now \ufffd")
    assert len(row["response_excerpt"]) == 1024
    assert await hooks.queued(endpoint.tenant) == []
    after = await hooks.row(endpoint)
    assert after["enabled"]
    assert after["failing_since"] is not None


async def test_an_answer_that_is_nonsense_is_an_attempt_and_does_not_end_the_sender(
    service: Health, hooks: Hooks, receiver: Receiver
) -> None:
    endpoint = await hooks.endpoint(receiver.url)
    nonsense = "Thu, 01 Jan 2026 00:00:00 +99999999999999999999"
    receiver.answers.append(web.Response(status=503, headers={"Retry-After": nonsense}))
    await hooks.happen(endpoint.tenant)
    (row,) = await until(lambda: hooks.ended(endpoint.tenant))
    assert (row["status"], row["attempts"]) == ("delivered", 2)


async def test_a_redirect_is_a_failure_and_is_not_followed(
    service: Health, hooks: Hooks, receiver: Receiver
) -> None:
    endpoint = await hooks.endpoint(f"{receiver.url}/old")
    receiver.answers += [
        web.Response(status=status, headers={"Location": f"{receiver.url}/new"}) for status in (301, 307, 308)
    ]
    await hooks.happen(endpoint.tenant)
    (row,) = await until(lambda: hooks.ended(endpoint.tenant))
    assert (row["status"], row["response_status"]) == ("failed", 308)
    assert {got.path for got in receiver.received} == {"/old"}


async def test_an_endpoint_that_is_gone_is_disabled_and_the_others_are_told(
    service: Health, hooks: Hooks, receiver: Receiver
) -> None:
    endpoint = await hooks.endpoint(f"{receiver.url}/gone", events=["batch.*"])
    await hooks.endpoint(f"{receiver.url}/watch", tenant=endpoint.tenant, events=["webhook_endpoint.*"])
    receiver.answers.append(web.Response(status=410))
    await hooks.happen(endpoint.tenant)

    gone, notice = await until(lambda: hooks.ended(endpoint.tenant, 2))

    assert (gone["status"], gone["attempts"], gone["response_status"]) == ("failed", 1, 410)
    row = await hooks.row(endpoint)
    assert (row["enabled"], row["disabled_reason"]) == (False, "gone")
    assert notice["event_type"] == "webhook_endpoint.disabled"
    assert receiver.received[-1].path == "/watch"
    assert receiver.received[-1].event["data"]["disabled_reason"] == "gone"
    assert await hooks.happen(endpoint.tenant) == 0


async def test_an_endpoint_that_has_only_failed_for_days_is_disabled(
    service: Health, hooks: Hooks, receiver: Receiver
) -> None:
    endpoint = await hooks.endpoint(receiver.url)
    receiver.default_status = 500
    await hooks.execute(
        "UPDATE webhook_endpoints SET failing_since = now() - interval '4 days 23 hours' WHERE id = $1",
        endpoint.id,
    )
    await hooks.happen(endpoint.tenant)
    await until(lambda: hooks.ended(endpoint.tenant))
    assert (await hooks.row(endpoint))["enabled"]

    await hooks.execute(
        "UPDATE webhook_endpoints SET failing_since = now() - interval '5 days' WHERE id = $1", endpoint.id
    )
    await hooks.happen(endpoint.tenant)
    rows = await until(lambda: hooks.ended(endpoint.tenant, 2))
    row = await hooks.row(endpoint)
    assert (row["enabled"], row["disabled_reason"]) == (False, "failing")
    assert rows[1]["error"] == "endpoint_disabled"


async def test_a_receiver_may_ask_for_more_time(service: Health, hooks: Hooks, receiver: Receiver) -> None:
    endpoint = await hooks.endpoint(receiver.url)
    receiver.answers += [
        web.Response(status=429, headers={"Retry-After": "120"}),
        web.Response(status=503, headers={"Retry-After": "99999999999"}),
    ]
    for wait_s in (120, 36_000):
        await hooks.execute("UPDATE webhook_queue SET due_at = now() WHERE tenant_id = $1", endpoint.tenant)
        if wait_s == 120:
            await hooks.happen(endpoint.tenant)

        async def put_off(more_than: int = wait_s - 30) -> bool:
            return any(row["due_in_s"] > more_than for row in await hooks.queued(endpoint.tenant))

        await until(put_off)
        (row,) = await hooks.queued(endpoint.tenant)
        assert wait_s - 30 < row["due_in_s"] <= wait_s
    (delivery,) = await hooks.deliveries(endpoint.tenant)
    assert (delivery["status"], delivery["attempts"]) == ("pending", 2)
    assert delivery["next_attempt_at"] is not None


async def test_deliveries_of_a_disabled_or_deleted_endpoint_fail_without_a_request(
    service: Health, hooks: Hooks, receiver: Receiver
) -> None:
    disabled, deleted = await hooks.endpoint(receiver.url), await hooks.endpoint(receiver.url)
    async with hooks.system.transaction() as connection:
        for endpoint in (disabled, deleted):
            await plan_test(connection, tenant_id=endpoint.tenant, endpoint_id=endpoint.id)
        await connection.execute(
            "UPDATE webhook_endpoints SET enabled = false, disabled_reason = 'caller', disabled_at = now() "
            "WHERE id = $1",
            disabled.id,
        )
        await connection.execute("DELETE FROM webhook_endpoints WHERE id = $1", deleted.id)
    for endpoint, error in ((disabled, "endpoint_disabled"), (deleted, "endpoint_deleted")):
        (row,) = await until(lambda endpoint=endpoint: hooks.ended(endpoint.tenant))
        assert (row["status"], row["error"], row["attempts"]) == ("failed", error, 0)
    assert receiver.received == []


async def test_a_delivery_is_made_again_on_demand_with_the_same_id(
    service: Health, hooks: Hooks, receiver: Receiver
) -> None:
    endpoint = await hooks.endpoint(receiver.url)
    await hooks.happen(endpoint.tenant)
    (row,) = await until(lambda: hooks.ended(endpoint.tenant))
    async with hooks.app.transaction(new_id()) as connection:
        assert await redeliver(connection, [row["id"]]) == []
        assert await matching_deliveries(connection, DeliveryFilter(), limit=10) == []
    async with hooks.app.transaction(endpoint.tenant) as connection:
        assert await redeliver(connection, [row["id"], new_id()]) == [row["id"]]
    await receiver.until(2)
    async with hooks.app.transaction(endpoint.tenant) as connection:
        nothing = DeliveryFilter(status="failed")
        everything = DeliveryFilter(endpoint_id=endpoint.id, created_before=datetime.now(UTC))
        assert await matching_deliveries(connection, nothing, limit=10) == []
        found = await matching_deliveries(connection, everything, limit=10)
        assert await redeliver(connection, found) == [row["id"]]
    await receiver.until(3)

    async def settled() -> bool:
        return (await hooks.deliveries(endpoint.tenant))[0]["attempts"] == 3

    await until(settled)
    assert len({(got.id, got.body) for got in receiver.received}) == 1
