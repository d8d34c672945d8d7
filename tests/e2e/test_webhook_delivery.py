"""Webhooks of a whole fleet: a job's end reaches the caller's server, also over the death of the sender."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator

import pytest
from pydantic import SecretStr
from standardwebhooks.webhooks import Webhook

from services.cli.data_dir import DataDir
from shared.runtime.engines.postgres import EmbeddedPostgres
from shared.storage.postgres import Database
from tests.e2e.test_jobs import submit
from tests.support.fleet import Fleet
from tests.support.receiver import Received, Receiver, receiving
from tests.support.store import settings_for
from tests.support.webhooks import Endpoint, Hooks

pytestmark = pytest.mark.e2e

EVERYTHING = {
    "metadata": {"order": "4711"},
    "run_at": 0.3,
    "retention": 3600,
    "webhook": {"url": "https://hooks.example.com/", "events": ["job.failed"]},
}
"""What a caller may say of a job beside its work."""


@pytest.fixture
async def receiver() -> AsyncGenerator[Receiver, None]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
async def endpoint(fleet: Fleet, receiver: Receiver) -> AsyncGenerator[Endpoint, None]:
    data = fleet.data_dir.absolute()
    settings = settings_for(EmbeddedPostgres(data / "postgres", data / "run").url)
    async with (
        Database(settings, role="penstock_app", name="test") as app,
        Database(settings, role="penstock_system", name="test") as system,
    ):
        hooks = Hooks(app, system, secret_key=SecretStr(DataDir.at(data).secret_key()))
        (key,) = await hooks.fetch("SELECT tenant_id FROM api_keys ORDER BY created_at LIMIT 1")
        made = await hooks.endpoint(f"{receiver.url}/hook", tenant=key["tenant_id"], events=["job.*"])
        yield made
        await hooks.execute("DELETE FROM webhook_endpoints WHERE id = $1", made.id)


async def told_of(receiver: Receiver, job: dict) -> Received:
    """Wait for the delivery about a job; others' may come as well."""
    count = 0
    while True:
        count += 1
        got = (await receiver.until(count, limit_s=30))[count - 1]
        if got.event["data"]["id"] == job["id"]:
            return got


async def test_the_end_of_a_job_reaches_the_callers_server(
    fleet: Fleet, endpoint: Endpoint, receiver: Receiver
) -> None:
    job = await asyncio.to_thread(submit, fleet, "tell me", **EVERYTHING)
    got = await told_of(receiver, job)
    event = Webhook(endpoint.secret).verify(got.body, got.headers)
    assert event["type"] == "job.completed"
    shown = await asyncio.to_thread(fleet.json, "GET", f"/v1/jobs/{job['id']}")
    assert event["data"] == shown
    assert all(shown[name] for name in ("metadata", "run_at", "webhook", "result_expires_at"))


async def test_a_cancelled_job_is_told_as_well(fleet: Fleet, endpoint: Endpoint, receiver: Receiver) -> None:
    job = await asyncio.to_thread(submit, fleet, "never", simulator={"delay_ms": 60_000})
    await asyncio.to_thread(fleet.request, "POST", f"/v1/jobs/{job['id']}/cancel")
    assert (await told_of(receiver, job)).event["type"] == "job.cancelled"


async def test_a_sender_that_was_killed_is_started_anew_and_delivers(
    fleet: Fleet, endpoint: Endpoint, receiver: Receiver
) -> None:
    status = await asyncio.to_thread(fleet.status)
    (entry,) = [entry for entry in status["services"] if entry["name"] == "webhook_delivery"]
    os.kill(entry["pid"], signal.SIGKILL)
    job = await asyncio.to_thread(submit, fleet, "after the fall")
    Webhook(endpoint.secret).verify((got := await told_of(receiver, job)).body, got.headers)
