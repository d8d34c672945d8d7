"""A receiver that is dead, or far behind, delays no other."""

from uuid import UUID

import pytest

from services.webhook_delivery.adapters.queue import QueueTable
from services.webhook_delivery.app import running
from shared.contracts.ids import new_id
from shared.storage.webhook_events import Event
from shared.storage.webhook_planning import Planned, plan
from tests.integration.webhook_delivery.conftest import MakeSettings
from tests.support.receiver import Receiver, receiving
from tests.support.store import until
from tests.support.webhooks import Endpoint, Hooks


async def backlog(hooks: Hooks, endpoint: Endpoint, count: int) -> None:
    async with hooks.system.transaction() as connection:
        await plan(
            connection,
            [
                Planned(
                    tenant_id=endpoint.tenant,
                    event=Event(type="batch.completed", data={"id": str(number)}),
                    endpoints=[endpoint.id],
                )
                for number in range(count)
            ],
        )


async def test_all_good_receivers_get_theirs_while_one_hangs(
    make_settings: MakeSettings, hooks: Hooks, receiver: Receiver
) -> None:
    good = [await hooks.endpoint(f"{receiver.url}/{number}") for number in range(30)]
    async with receiving() as dead:
        dead.hang()
        hanging = [await hooks.endpoint(dead.url), await hooks.endpoint(dead.url)]
        for endpoint in hanging:
            await backlog(hooks, endpoint, 50)
        for endpoint in good:
            await backlog(hooks, endpoint, 3)

        async with running(make_settings(concurrency=12, timeout_s=20, lease_s=30)):
            await dead.until(8)
            await receiver.until(90)
            for endpoint in good:
                assert len(await until(lambda endpoint=endpoint: hooks.ended(endpoint.tenant, 3))) == 3
            assert len(dead.received) == 8  # four for each: what a receiver gets that is not known yet
            dead.released.set()
            for endpoint in hanging:
                await until(lambda endpoint=endpoint: hooks.ended(endpoint.tenant, 50))
    assert len({got.id for got in dead.received}) == 100


async def test_a_receiver_that_times_out_is_tried_by_one_request_at_a_time(
    make_settings: MakeSettings, hooks: Hooks
) -> None:
    async with receiving() as dead:
        dead.hang()
        endpoint = await hooks.endpoint(dead.url)
        await backlog(hooks, endpoint, 30)
        async with running(make_settings(timeout_s=0.2, lease_s=5, retry_delays_s=[600])):
            await dead.until(4)
            await dead.until(6)

            async def failures() -> bool:
                rows = await hooks.deliveries(endpoint.tenant)
                return sum(row["attempts"] for row in rows) >= 5

            await until(failures)
            rows = await hooks.deliveries(endpoint.tenant)
            tried = sum(row["attempts"] for row in rows)
            assert len(dead.received) - tried <= 1
            assert {row["error"] for row in rows if row["attempts"]} == {"timeout"}
            dead.released.set()
            assert await until(lambda: hooks.ended(endpoint.tenant, 30 - tried - 1))
    await hooks.execute("DELETE FROM webhook_queue")


@pytest.mark.parametrize("each", [20, 150])
async def test_a_look_takes_a_few_of_each_receiver_and_goes_on_where_the_last_one_stopped(
    each: int, hooks: Hooks
) -> None:
    endpoints = [await hooks.endpoint("https://example.com") for _ in range(5)]
    for endpoint in endpoints:
        await backlog(hooks, endpoint, each)
    queue = QueueTable(hooks.system, hooks.box, lease_s=30)
    targets = sorted(endpoint.id for endpoint in endpoints)

    async def taken(limit: int, **room: int) -> list[int]:
        known = {targets[int(name[1:])]: places for name, places in room.items()}
        claimed = await queue.claim(limit, room=known, default_room=4)
        counted = [one.target for one in claimed.deliveries]
        return [counted.count(target) for target in targets]

    assert await taken(6) == [4, 2, 0, 0, 0]
    assert await taken(6) == [0, 0, 4, 2, 0]
    assert await taken(6) == [2, 0, 0, 0, 4]
    assert await taken(100) == [4, 4, 4, 4, 4]
    assert await taken(100, _1=0, _3=6) == [4, 0, 4, 6, 4]
    await hooks.execute("DELETE FROM webhook_queue")


async def test_what_one_sender_has_no_other_gets_until_its_lease_ends(hooks: Hooks) -> None:
    endpoint = await hooks.endpoint("https://example.com")
    await backlog(hooks, endpoint, 3)
    first = QueueTable(hooks.system, hooks.box, lease_s=0.3)
    second = QueueTable(hooks.system, hooks.box, lease_s=30)
    mine = (await first.claim(2, room={}, default_room=16)).deliveries
    theirs = (await second.claim(9, room={}, default_room=16)).deliveries
    assert (len(mine), len(theirs)) == (2, 1)
    assert not {one.id for one in mine} & {one.id for one in theirs}

    async def claimed_again() -> set[UUID]:
        return {one.id for one in (await second.claim(9, room={}, default_room=16)).deliveries}

    again = await until(claimed_again)
    assert again <= {one.id for one in mine}
    await first.release(mine)  # too late: the claims are another's
    kept = [row for row in await hooks.queued(endpoint.tenant) if row["delivery_id"] in again]
    assert all(row["due_in_s"] > 1 for row in kept)
    await second.release(theirs)
    given_back = (await first.claim(9, room={}, default_room=16)).deliveries
    assert theirs[0].id in {one.id for one in given_back}
    await hooks.execute("DELETE FROM webhook_queue")


async def test_urls_of_one_tenant_on_one_server_share_a_limit(hooks: Hooks) -> None:
    tenant, other = new_id(), new_id()
    for owner, url in (
        (tenant, "https://a.example.com/1"),
        (tenant, "https://a.example.com/2"),
        (tenant, "https://b.example.com/1"),
        (other, "https://a.example.com/1"),
    ):
        await hooks.happen(owner, webhook={"url": url, "events": None})
    targets = [row["target"] for owner in (tenant, other) for row in await hooks.deliveries(owner)]
    assert targets[0] == targets[1]
    assert len(set(targets)) == 3
    await hooks.execute("DELETE FROM webhook_queue")
