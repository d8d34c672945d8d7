"""Batches against the real database: every step once, whoever takes it and whatever breaks."""

import asyncio
import json
from collections.abc import AsyncGenerator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from services.scheduler.adapters.batch_files import StoredOutputs
from services.scheduler.adapters.batch_table import BatchTable
from services.scheduler.adapters.file_table import FileTable
from services.scheduler.domain.batch_output import Gathered
from services.scheduler.domain.batch_ports import BatchChangedError
from services.scheduler.domain.file_retention import FileRetention
from services.scheduler.settings import BatchSettings, SchedulerSettings
from shared.config.providers import ProviderSettings
from shared.config.settings import RedisSettings
from shared.contracts.jobs import JobStatus
from shared.messaging.broker import Broker
from shared.storage.postgres import Database
from shared.storage.redis import cancelled_key, open_redis
from tests.integration.scheduler.batch_harness import Harness, request
from tests.support.webhooks import Hooks

SMALL = BatchSettings(chunk=5, open_jobs=20, chunk_bytes=1024)


@pytest.fixture
async def harness(
    settings: SchedulerSettings, system: Database, broker: Broker, valkey_url: str
) -> AsyncGenerator[Harness, None]:
    configured = settings.model_copy(
        update={
            "batches": SMALL,
            "providers": {"sim": ProviderSettings(base_url="http://127.0.0.1:1/v1")},
            "redis": RedisSettings(url=SecretStr(valkey_url)),
        }
    )
    async with open_redis(configured.redis, name="test") as redis:
        yield Harness(configured, system, broker, redis)
        async with system.connection() as connection:
            await connection.execute("UPDATE batches SET status = 'failed'")


async def test_no_more_jobs_are_open_than_may_be_and_each_request_becomes_one(harness: Harness) -> None:
    names = [f"r-{n}" for n in range(53)]
    batch_id = await harness.submit(map(request, names))
    await harness.work(batch_id, "in_progress")
    open_jobs = "SELECT count(*) AS n FROM jobs WHERE batch_id = $1 AND status = 'queued'"
    answered = 0
    while answered < 53:
        for _ in range(3):
            await harness.leader()()
        ((count,),) = [row.values() for row in await harness.fetch(open_jobs, batch_id)]
        assert 0 < count <= 20
        answered += await harness.answer(batch_id, 7)
    row = await harness.work(batch_id, "completed")
    assert (row["total"], row["inserted"], row["gathered"], row["completed"]) == (53, 53, 53, 53)
    assert (row["input_tokens"], row["output_tokens"]) == (53, 106)
    assert [line["custom_id"] for line in await harness.written(row["output_file_id"])] == names
    assert row["error_file_id"] is None
    jobs = await harness.fetch("SELECT * FROM jobs WHERE batch_id = $1 ORDER BY batch_line", batch_id)
    assert [job["batch_line"] for job in jobs] == list(range(1, 54))
    assert {(job["lane"], job["model"], job["max_attempts"]) for job in jobs} == {("batch", "sim/echo", 3)}


async def test_webhooks_hear_once_of_a_batch_and_not_of_its_requests(harness: Harness, app: Database) -> None:
    hooks = Hooks(app, harness.system)
    everything = await hooks.endpoint("https://example.com/all", tenant=harness.tenant)
    await hooks.endpoint("https://example.com/jobs", tenant=harness.tenant, events=["job.*"])
    await hooks.endpoint("https://example.com/other")
    batch_id = await harness.submit([request("a"), request("b")])
    await harness.work(batch_id, "in_progress")
    await harness.leader()()
    assert await harness.answer(batch_id, 2) == 2
    row = await harness.work(batch_id, "completed")

    (told,) = await hooks.deliveries(harness.tenant)

    event = json.loads(told["payload"])
    assert (told["endpoint_id"], event["type"]) == (everything.id, "batch.completed")
    assert (event["data"]["object"], event["data"]["status"]) == ("batch", "completed")
    assert event["data"]["id"] == f"batch_{batch_id.hex}"
    assert event["data"]["output_file_id"] == f"file-{row['output_file_id'].hex}"
    assert event["data"]["request_counts"] == {"total": 2, "completed": 2, "failed": 0}

    for other, status in (("failed", "{}"), ("cancelled", request("c"))):
        batch_id = await harness.submit([status])
        if other == "cancelled":
            await harness.fetch(
                "UPDATE batches SET status = 'cancelling' WHERE id = $1 RETURNING 1", batch_id
            )
        await harness.work(batch_id, other)
        assert json.loads((await hooks.deliveries(harness.tenant))[-1]["payload"])["type"] == f"batch.{other}"


async def test_two_leaders_at_once_do_nothing_twice(harness: Harness) -> None:
    names = [f"r-{n}" for n in range(40)]
    batch_id = await harness.submit(map(request, names))
    leaders = [harness.leader() for _ in range(3)]
    row = await harness.row(batch_id)
    while row["status"] != "completed":
        await asyncio.gather(*(leader() for leader in leaders))
        await harness.answer(batch_id, 9)
        row = await harness.row(batch_id)
    jobs = await harness.fetch("SELECT batch_line FROM jobs WHERE batch_id = $1", batch_id)
    assert sorted(job["batch_line"] for job in jobs) == list(range(1, 41))
    assert [line["custom_id"] for line in await harness.written(row["output_file_id"])] == names


async def test_a_leader_that_was_overtaken_changes_nothing(harness: Harness) -> None:
    batch_id = await harness.submit([request("a"), request("b")])
    await harness.work(batch_id, "in_progress")
    table = BatchTable(harness.system, attempts=1, output_s=60)
    (stale,) = await table.open()
    await harness.leader()()
    before = await harness.row(batch_id)
    with pytest.raises(BatchChangedError):
        await table.insert(stale, [], offset=0)
    gathered = Gathered(1, output=[b"{}\n"])
    with pytest.raises(BatchChangedError):
        await StoredOutputs(harness.system, harness.store).append(stale, gathered)
    assert await harness.row(batch_id) == before
    assert (
        await harness.fetch(
            "SELECT 1 FROM files WHERE tenant_id = $1 AND purpose = 'batch_output'", harness.tenant
        )
        == []
    )


async def test_a_request_that_takes_long_holds_up_only_the_file(harness: Harness) -> None:
    batch_id = await harness.submit(request(f"r-{n}") for n in range(30))
    await harness.work(batch_id, "in_progress")
    await harness.leader()()
    (first,) = await harness.fetch("SELECT id FROM jobs WHERE batch_id = $1 AND batch_line = 1", batch_id)
    await harness.fetch("UPDATE jobs SET status = 'in_progress' WHERE id = $1 RETURNING 1", first["id"])
    for _ in range(8):
        await harness.answer(batch_id, 10)
        await harness.leader()()
    row = await harness.row(batch_id)
    assert (row["inserted"], row["gathered"]) == (30, 0)
    await harness.fetch("UPDATE jobs SET status = 'queued' WHERE id = $1 RETURNING 1", first["id"])
    await harness.answer(batch_id, 1)
    row = await harness.work(batch_id, "completed")
    assert (await harness.written(row["output_file_id"]))[0]["custom_id"] == "r-0"


async def test_what_was_never_a_job_when_time_is_over_is_in_the_error_file(harness: Harness) -> None:
    batch_id = await harness.submit((request(f"r-{n}") for n in range(60)), window_s=3600)
    await harness.work(batch_id, "in_progress")
    await harness.leader()()
    assert await harness.answer(batch_id, 5) == 5
    assert await harness.answer(batch_id, 100, JobStatus.EXPIRED) == 15
    await harness.fetch("UPDATE batches SET expires_at = now() WHERE id = $1 RETURNING 1", batch_id)
    row = await harness.work(batch_id, "expired")
    assert (row["completed"], row["failed"], row["expired"]) == (5, 55, 55)
    errors = await harness.written(row["error_file_id"])
    assert [line["custom_id"] for line in errors] == [f"r-{n}" for n in range(5, 60)]
    assert {line["error"]["code"] for line in errors} == {"batch_expired"}
    assert len({line["id"] for line in errors}) == 55


async def test_jobs_of_a_cancelled_batch_are_marked_before_any_worker_can_begin_them(
    harness: Harness,
) -> None:
    batch_id = await harness.submit(request(f"r-{n}") for n in range(40))
    await harness.work(batch_id, "in_progress")
    await harness.leader()()
    await harness.fetch(
        "UPDATE batches SET status = 'cancelling', revision = revision + 1 WHERE id = $1 RETURNING 1",
        batch_id,
    )
    row = await harness.work(batch_id, "cancelled")
    jobs = await harness.fetch("SELECT id, status FROM jobs WHERE batch_id = $1", batch_id)
    assert {job["status"] for job in jobs} == {"cancelled"}
    assert await harness.redis.exists(*(cancelled_key(job["id"]) for job in jobs)) == len(jobs) == 20
    errors = await harness.written(row["error_file_id"])
    assert [line["custom_id"] for line in errors] == [f"r-{n}" for n in range(40)]
    assert {line["error"]["code"] for line in errors} == {"batch_cancelled"}


async def test_a_batch_that_is_cancelled_before_it_was_checked_ends_at_once(harness: Harness) -> None:
    batch_id = await harness.submit([request("a")])
    await harness.fetch("UPDATE batches SET status = 'cancelling' WHERE id = $1 RETURNING 1", batch_id)
    row = await harness.work(batch_id, "cancelled", rounds=1)
    assert (row["total"], row["output_file_id"], row["error_file_id"]) == (0, None, None)


async def test_large_bodies_are_passed_by_reference(harness: Harness) -> None:
    batch_id = await harness.submit([request("a", user="x" * 70_000), request("b")])
    await harness.work(batch_id, "in_progress")
    await harness.leader()()
    large, small = await harness.fetch("SELECT * FROM jobs WHERE batch_id = $1 ORDER BY batch_line", batch_id)
    assert large["request"] is None
    assert large["request_ref"] is not None
    assert small["request"].startswith('{"model"')
    assert small["request_ref"] is None


async def test_an_answer_that_is_gone_is_a_failure_of_its_request_only(harness: Harness) -> None:
    batch_id = await harness.submit(map(request, "abc"))
    await harness.work(batch_id, "in_progress")
    await harness.leader()()
    await harness.answer(batch_id, 3)
    lost = (
        "UPDATE jobs SET result = NULL, result_ref = $3 WHERE batch_id = $1 AND batch_line = $2 RETURNING 1"
    )
    await harness.fetch(lost, batch_id, 1, None)
    await harness.fetch(lost, batch_id, 2, "gone")
    row = await harness.work(batch_id, "completed")
    assert [line["custom_id"] for line in await harness.written(row["output_file_id"])] == ["c"]
    errors = await harness.written(row["error_file_id"])
    assert [(line["custom_id"], line["response"]["status_code"]) for line in errors] == [
        ("a", 404),
        ("b", 404),
    ]


async def test_an_object_store_that_is_away_only_makes_a_batch_wait(harness: Harness) -> None:
    folder = Path(harness.settings.objects.url.get_secret_value().removeprefix("file://"))
    in_the_way = [folder / f"{datetime.now(UTC) + timedelta(days=day):%Y-%m-%d}" for day in (0, 1)]
    batch_id = await harness.submit(request(name, user="x" * 70_000) for name in "ab")
    await harness.work(batch_id, "in_progress")
    for path in in_the_way:
        path.write_text("where the store wants a folder")
    await harness.leader()()
    assert (await harness.row(batch_id))["inserted"] == 0
    for path in in_the_way:
        path.unlink()
    await harness.leader()()
    assert (await harness.row(batch_id))["inserted"] == 2


async def test_one_batch_that_cannot_go_on_holds_up_no_other(harness: Harness) -> None:
    broken, whole = [await harness.submit([request("a")]) for _ in range(2)]
    await harness.work(broken, "in_progress")
    await harness.fetch(
        "UPDATE file_parts SET ref = 'gone' FROM batches b WHERE file_id = b.input_file_id AND b.id = $1 "
        "RETURNING 1",
        broken,
    )
    await harness.work(whole, "in_progress")
    await harness.leader()()
    await harness.answer(whole, 1)
    assert (await harness.work(whole, "completed"))["completed"] == 1
    assert (await harness.row(broken))["status"] == "in_progress"


async def test_files_are_removed_with_their_content_but_not_while_a_batch_reads_them(
    harness: Harness,
) -> None:
    batch_id = await harness.submit([request("a")])
    file_id = (await harness.row(batch_id))["input_file_id"]
    removal = FileRetention(
        files=FileTable(harness.system), contents=harness.store, silent_s=3600, keep_days=30
    )
    await harness.fetch("UPDATE files SET expires_at = now() WHERE id = $1 RETURNING 1", file_id)
    await removal()
    states = "SELECT state FROM files WHERE id = $1"
    assert await harness.fetch(states, file_id) == [{"state": "deleted"}]
    await harness.work(batch_id, "in_progress")
    await harness.leader()()
    await harness.answer(batch_id, 1)
    await harness.work(batch_id, "completed")
    parts = await harness.fetch("SELECT ref FROM file_parts WHERE file_id = $1", file_id)
    await removal()
    assert await harness.fetch(states, file_id) == []
    folder = harness.settings.objects.url.get_secret_value().removeprefix("file://")
    assert len(parts) == 2
    left = [path for part in parts if (path := Path(folder, part["ref"])).exists()]
    assert left == []


async def test_an_upload_that_fell_silent_is_removed_and_an_old_batch_forgotten(harness: Harness) -> None:
    batch_id = await harness.submit([])
    await harness.work(batch_id, "failed")
    file_id = (await harness.row(batch_id))["input_file_id"]
    await harness.fetch(
        "UPDATE files SET state = 'writing', touched_at = now() - interval '2 hours' WHERE id = $1 "
        "RETURNING 1",
        file_id,
    )
    await harness.fetch(
        "UPDATE batches SET failed_at = now() - interval '31 days' WHERE id = $1 RETURNING 1", batch_id
    )
    await FileRetention(
        files=FileTable(harness.system), contents=harness.store, silent_s=3600, keep_days=30
    )()
    assert await harness.fetch("SELECT 1 FROM files WHERE id = $1", file_id) == []
    assert await harness.fetch("SELECT 1 FROM batches WHERE id = $1", batch_id) == []


async def test_a_day_of_jobs_is_kept_while_an_older_batch_is_open(harness: Harness) -> None:
    batch_id = await harness.submit([request("a")])
    dropped = "SELECT drop_job_partitions($1) AS n"
    tomorrow = date.today() + timedelta(days=30)  # noqa: DTZ011 - far enough for any zone
    days = "SELECT count(*) AS n FROM pg_inherits WHERE inhparent = 'jobs'::regclass"
    before = await harness.fetch(days)
    await harness.fetch(dropped, tomorrow)
    after = await harness.fetch(days)
    assert before[0]["n"] - after[0]["n"] == 1  # only yesterday, when there was no batch
    assert (await harness.row(batch_id))["status"] == "validating"


async def test_an_input_that_cannot_be_read_holds_up_no_check_of_another(harness: Harness) -> None:
    gone, away, good = [await harness.submit([request("a")]) for _ in range(3)]
    content = "UPDATE file_parts SET ref = $2 FROM batches b WHERE file_id = b.input_file_id AND b.id = $1"
    await harness.fetch(f"{content} RETURNING 1", gone, "gone")
    folder = Path(harness.settings.objects.url.get_secret_value().removeprefix("file://"))
    await asyncio.to_thread((folder / "loop").symlink_to, "loop")
    await harness.fetch(f"{content} RETURNING 1", away, "loop")
    leader = harness.leader()
    for _ in range(4):
        await leader()
    failed = await harness.row(gone)
    assert failed["status"] == "failed"
    assert "file_not_found" in failed["errors"]
    assert (await harness.row(away))["status"] == "validating"
    assert (await harness.row(good))["status"] == "in_progress"


async def test_a_batch_whose_time_is_over_before_it_was_checked_expires(harness: Harness) -> None:
    batch_id = await harness.submit([request("a")], window_s=-1)
    assert (await harness.work(batch_id, "expired", rounds=1))["total"] == 0
