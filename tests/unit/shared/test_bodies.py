"""The store of large bodies, on a folder, in memory, and on an S3 that is down."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from obstore.store import from_url
from pydantic import SecretStr

from shared.config.settings import ObjectSettings
from shared.errors import NotFoundError, ObjectStoreUnavailableError
from shared.storage.bodies import BodyStore

LARGE = bytes(range(256)) * 1024


def _settings(url: str) -> ObjectSettings:
    return ObjectSettings(url=SecretStr(url), inline_bytes=1000)


@pytest.fixture(params=["file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BodyStore:
    url = f"file://{tmp_path}/not/yet/there" if request.param == "file" else "memory:///"
    return BodyStore(_settings(url))


async def test_a_body_that_fits_travels_inline(store):
    body, ref = await store.put(b"x" * 1000, tenant_id=uuid4(), job_id=uuid4(), kind="request")
    assert (body, ref) == (b"x" * 1000, None)
    assert await store.get(body, ref) == b"x" * 1000


async def test_what_is_deleted_is_gone_and_may_be_deleted_again(store):
    _, ref = await store.put(LARGE, tenant_id=uuid4(), job_id=uuid4(), kind="result")
    _, other = await store.put(LARGE, tenant_id=uuid4(), job_id=uuid4(), kind="result")
    for _ in range(2):
        await store.delete([ref, other])
    for gone in (ref, other):
        with pytest.raises(NotFoundError):
            await store.get(b"", gone)


async def test_a_larger_body_comes_back_byte_for_byte_by_its_reference(store):
    body, ref = await store.put(LARGE, tenant_id=uuid4(), job_id=uuid4(), kind="result")
    assert body == b""
    assert ref is not None
    assert ref.startswith(f"{datetime.now(UTC):%Y-%m-%d}/")
    assert await store.get(body, ref) == LARGE


async def test_two_results_of_one_job_do_not_overwrite_each_other(store):
    tenant, job = uuid4(), uuid4()
    _, first = await store.put(LARGE, tenant_id=tenant, job_id=job, kind="result")
    _, second = await store.put(LARGE[::-1], tenant_id=tenant, job_id=job, kind="result")
    assert await store.get(b"", first) == LARGE
    assert await store.get(b"", second) == LARGE[::-1]


@pytest.mark.parametrize("ref", ["2026-01-01/gone", "../../etc/passwd"])
async def test_a_reference_to_nothing_is_not_found(store, ref):
    with pytest.raises(NotFoundError):
        await store.get(b"", ref)


async def test_whole_days_are_dropped_and_later_ones_stay(tmp_path):
    store = BodyStore(_settings(f"file://{tmp_path}"))
    _, today = await store.put(LARGE, tenant_id=uuid4(), job_id=uuid4(), kind="request")
    beneath = from_url(f"file://{tmp_path}")
    for number in range(3):
        await beneath.put_async(f"2026-01-0{number + 1}/tenant/job/request-{number}", b"old")
    await beneath.put_async("not-a-day/file", b"not ours")
    day = datetime.now(UTC).date()
    assert await store.drop_days_before(datetime(2026, 1, 3, tzinfo=UTC).date()) == 2
    assert await store.drop_days_before(day) == 1
    assert await store.drop_days_before(day) == 0
    assert await store.get(b"", today) == LARGE
    assert await store.get(b"", "not-a-day/file") == b"not ours"
    assert await store.drop_days_before(day + timedelta(days=1)) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["not-a-day"]


async def test_ping_answers(store):
    await store.ping()


async def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ObjectStoreUnavailableError):
        BodyStore(_settings(f"file://{tmp_path}/file/below"))


async def test_an_s3_that_is_down_is_an_error_within_bounds(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
    store = BodyStore(_settings("s3://bucket/prefix"))
    with pytest.raises(ObjectStoreUnavailableError):
        await store.put(LARGE, tenant_id=uuid4(), job_id=uuid4(), kind="request")
    with pytest.raises(ObjectStoreUnavailableError):
        await store.ping()
