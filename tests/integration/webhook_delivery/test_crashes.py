"""A sender that dies, or loses its servers, at any moment: everything is delivered, under the same id."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from pydantic import SecretStr

from services.webhook_delivery.adapters.queue import QueueTable
from services.webhook_delivery.app import running
from shared.errors import DatabaseUnavailableError
from shared.runtime.engines.postgres import EmbeddedPostgres
from shared.security.webhook_secrets import SecretBox
from shared.storage.migrate import migrate
from shared.storage.postgres import Database
from tests.integration.webhook_delivery.conftest import MakeSettings
from tests.support.fleet import clean_environment
from tests.support.receiver import Receiver, receiving
from tests.support.store import settings_for, until
from tests.support.webhooks import SECRET_KEY, Hooks

SHORT = {"timeout_s": 0.5, "lease_s": 1.0}


async def test_before_the_migration_there_is_nothing_to_claim_yet(
    migrated_url: str, fresh_database: Callable[[], str]
) -> None:
    assert migrated_url  # the server has the roles
    async with Database(settings_for(fresh_database()), role="penstock_system", name="test") as database:
        queue = QueueTable(database, SecretBox(SECRET_KEY), lease_s=30)
        with pytest.raises(DatabaseUnavailableError):
            await queue.claim(1, room={}, default_room=1)


@asynccontextmanager
async def sender_process(url: str) -> AsyncGenerator[asyncio.subprocess.Process, None]:
    """The service as a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.webhook_delivery",
        env=clean_environment(
            {
                "PENSTOCK_SECRET_KEY": SECRET_KEY.get_secret_value(),
                "PENSTOCK_POSTGRES__URL": url,
                "PENSTOCK_BROKER__URL": url,
                "PENSTOCK_REDIS__URL": "redis://127.0.0.1:1",
                "PENSTOCK_OBJECTS__URL": "memory:///",
                "PENSTOCK_EGRESS__ALLOWED_NETWORKS": '["127.0.0.0/8"]',
                "PENSTOCK_WEBHOOKS__TIMEOUT_S": "0.5",
                "PENSTOCK_WEBHOOKS__LEASE_S": "1.0",
            }
        ),
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_a_sender_killed_after_the_receivers_200_has_it_delivered_again_with_the_same_id(
    make_settings: MakeSettings, migrated_url: str, hooks: Hooks, receiver: Receiver
) -> None:
    endpoint = await hooks.endpoint(receiver.url)
    await hooks.happen(endpoint.tenant)
    receiver.hang()
    async with sender_process(migrated_url) as process:
        await receiver.until(1, limit_s=30)
        os.kill(process.pid, signal.SIGSTOP)
        receiver.released.set()  # the 200 is on its way, and nobody is there to read it
        await receiver.answered(1)
        process.kill()
        await process.wait()
    (row,) = await hooks.deliveries(endpoint.tenant)
    assert row["status"] == "pending"

    async with running(make_settings(**SHORT)):
        first, second = await receiver.until(2)
        (row,) = await until(lambda: hooks.ended(endpoint.tenant))

    assert first.id == second.id
    assert first.body == second.body
    assert (row["status"], row["attempts"]) == ("delivered", 1)


async def test_a_sender_that_stops_in_order_gives_back_what_it_could_not_finish(
    make_settings: MakeSettings, hooks: Hooks, receiver: Receiver
) -> None:
    endpoint = await hooks.endpoint(receiver.url)
    await hooks.happen(endpoint.tenant)
    receiver.hang()
    settings = make_settings(timeout_s=20, lease_s=600).model_copy(update={"shutdown_grace_s": 0.1})
    async with running(settings):
        await receiver.until(1)
    (queued,) = await hooks.queued(endpoint.tenant)
    assert queued["due_in_s"] <= 0
    receiver.released.set()
    async with running(settings):
        (row,) = await until(lambda: hooks.ended(endpoint.tenant))
    assert row["attempts"] == 1
    assert len({got.id for got in receiver.received}) == 1


async def test_a_sender_that_stops_in_order_finishes_what_is_under_way(
    make_settings: MakeSettings, hooks: Hooks, receiver: Receiver
) -> None:
    endpoint = await hooks.endpoint(receiver.url)
    await hooks.happen(endpoint.tenant)
    receiver.hang()
    async with asyncio.TaskGroup() as group, running(make_settings()):
        await receiver.until(1)
        group.create_task(release_soon(receiver))
    (row,) = await hooks.ended(endpoint.tenant)
    assert (row["status"], len(receiver.received)) == ("delivered", 1)


async def release_soon(receiver: Receiver) -> None:
    receiver.released.set()


async def test_several_senders_share_the_work_and_deliver_everything_once(
    make_settings: MakeSettings, hooks: Hooks, receiver: Receiver
) -> None:
    endpoint = await hooks.endpoint(receiver.url)
    for _ in range(60):
        await hooks.happen(endpoint.tenant)
    async with running(make_settings()), running(make_settings()), running(make_settings()):
        rows = await until(lambda: hooks.ended(endpoint.tenant, 60))
    assert {row["status"] for row in rows} == {"delivered"}
    assert len(receiver.received) == len({got.id for got in receiver.received}) == 60


async def test_without_a_broker_webhooks_are_delivered_all_the_same(
    make_settings: MakeSettings, hooks: Hooks, receiver: Receiver
) -> None:
    settings = make_settings()
    nowhere = settings.broker.model_copy(update={"url": SecretStr("amqp://127.0.0.1:1")})
    endpoint = await hooks.endpoint(receiver.url)
    async with running(settings.model_copy(update={"broker": nowhere})) as health:
        await hooks.happen(endpoint.tenant)
        await until(lambda: hooks.ended(endpoint.tenant))
        ready, words = await health.report()
    assert ready
    assert words["postgres"] == "ok"
    assert words["broker"] != "ok"


async def test_what_was_sent_while_postgresql_was_away_is_recorded_when_it_is_back(
    make_settings: MakeSettings, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("own-postgres")
    engine = EmbeddedPostgres(folder / "data", folder / "run")
    engine.start()
    try:
        await migrate(engine.url)
        own = make_settings()
        settings = own.model_copy(
            update={
                "postgres": settings_for(engine.url),
                "broker": own.broker.model_copy(update={"url": settings_for(engine.url).url}),
            }
        )
        async with (
            Database(settings_for(engine.url), role="penstock_app", name="test") as app,
            Database(settings_for(engine.url), role="penstock_system", name="test") as system,
            receiving() as receiver,
            running(settings),
        ):
            hooks = Hooks(app, system)
            endpoint = await hooks.endpoint(receiver.url)
            receiver.answers.append(web.Response(status=500))
            receiver.hang()
            await hooks.happen(endpoint.tenant)
            await receiver.until(1)
            engine.stop()
            receiver.released.set()
            await receiver.answered(1)
            engine.start()
            (row,) = await until(lambda: recovered(hooks, endpoint.tenant))
        assert (row["status"], row["attempts"]) == ("delivered", 2)
        assert len({got.id for got in receiver.received}) == 1
    finally:
        engine.stop()


async def recovered(hooks: Hooks, tenant: object) -> object:
    """As ``Hooks.ended``, though connections of before the outage may still break."""
    from shared.errors import DatabaseUnavailableError

    try:
        return await hooks.ended(tenant)
    except DatabaseUnavailableError:
        return []
