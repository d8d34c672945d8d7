"""Uploads take turns, so that memory does not grow with their number."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from pydantic import SecretStr

from services.ingress.adapters.uploads import PART_BYTES, Uploads
from shared.config.settings import ObjectSettings
from shared.contracts.ids import new_id
from shared.errors import DependencyUnavailableError, PayloadTooLargeError
from shared.storage.files import FileStore

NOW = datetime.now(UTC)


class Rows:
    """What an upload tells the database."""

    def __init__(self) -> None:
        self.told: list[str] = []

    async def begin(self, tenant_id: UUID, file_id: UUID, created_at: datetime) -> None:
        self.told.append("begin")

    async def touch(self, tenant_id: UUID, file_id: UUID) -> None:
        self.told.append("touch")

    async def abandon(self, tenant_id: UUID, file_id: UUID) -> None:
        self.told.append("abandon")


@pytest.fixture
def rows() -> Rows:
    return Rows()


@pytest.fixture
def uploads(rows: Rows) -> Uploads:
    store = FileStore(ObjectSettings(url=SecretStr("memory:///")))
    return Uploads(store, rows, max_bytes=3 * PART_BYTES, most=1, patience_s=0.01)


async def test_one_more_than_may_be_waits_in_vain_until_a_place_is_free(uploads: Uploads) -> None:
    async with uploads.begin(new_id(), NOW):
        with pytest.raises(DependencyUnavailableError):
            async with uploads.begin(new_id(), NOW):
                raise AssertionError("there was no place")
    async with uploads.begin(new_id(), NOW):
        pass


async def test_a_long_upload_says_that_it_lives_and_one_that_is_too_long_gives_itself_up(
    uploads: Uploads, rows: Rows
) -> None:
    with pytest.raises(PayloadTooLargeError):
        await _upload(uploads, parts=4)
    assert rows.told == ["begin", "touch", "touch", "touch", "abandon"]
    async with uploads.begin(new_id(), NOW):
        pass


async def _upload(uploads: Uploads, *, parts: int) -> None:
    async with uploads.begin(new_id(), NOW) as upload:
        for _ in range(parts):
            await upload.write(b"x" * PART_BYTES)
