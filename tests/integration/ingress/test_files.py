"""Files over HTTP: what is refused, what another tenant sees, and what is left of an upload that failed."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import openai
import psycopg
import pytest

from services.ingress.settings import IngressSettings
from shared.contracts.batches import parse_file_id
from tests.integration.ingress.conftest import Api, Tenant, eventually, serve
from tests.integration.ingress.test_bad_requests import error_of

FILES = "/v1/files"
MULTIPART = {"Content-Type": "multipart/form-data; boundary=b"}


@pytest.fixture
async def small(make_settings: Callable[..., IngressSettings], alice: Tenant) -> AsyncGenerator[Api]:
    async with serve(make_settings(max_file_bytes=100_000, body_timeout_s=0.5), alice) as api:
        yield api


def form(*, content: bytes = b"x", name: str | None = "f.txt", **fields: str) -> aiohttp.FormData:
    """Spell a form in which the file comes first, as curl may send it."""
    data = aiohttp.FormData(quote_fields=False, default_to_multipart=True)
    if name is not None:
        data.add_field("file", content, filename=name, content_type="text/plain")
    for field, value in {"purpose": "user_data", **fields}.items():
        data.add_field(field, value)
    return data


def states(rows: psycopg.Connection[tuple[Any, ...]], tenant: Tenant) -> list[str]:
    found = rows.execute("SELECT state FROM files WHERE tenant_id = %s ORDER BY id", (tenant.id,))
    return [state for (state,) in found]


MISTAKES: list[tuple[Any, int, str | None]] = [
    (form(purpose="theft"), 422, "purpose"),
    (form(purpose="batch_output"), 422, "purpose"),
    (form(colour="red"), 400, "colour"),
    (form(name=None), 400, "file"),
    (form(name="n" * 256), 422, "file"),
    (form(purpose="u" * 5000), 400, "purpose"),
    (form(**{"expires_after[anchor]": "created_at"}), 422, "expires_after.seconds"),
    (form(**{"expires_after[seconds]": "4000"}), 422, "expires_after.anchor"),
    (
        form(**{"expires_after[anchor]": "created_at", "expires_after[seconds]": "60"}),
        422,
        "expires_after.seconds",
    ),
    (form(**{f"f{n}": "" for n in range(20)}), 400, None),
    ({"purpose": "user_data"}, 400, "Content-Type"),
    (b"", 400, "Content-Type"),
]


async def test_a_form_that_cannot_be_used_says_why(small: Api):
    for data, status, param in MISTAKES:
        async with small.http.post(FILES, data=data) as answer:
            assert (answer.status, (await error_of(answer))["param"]) == (status, param)


async def test_a_list_that_cannot_be_given_says_why(small: Api):
    for query, param in (
        ("purpose=%00", "purpose"),
        ("order=up", "order"),
        ("after=x", "after"),
        ("a=1", "a"),
    ):
        async with small.http.get(f"{FILES}?{query}") as answer:
            assert (answer.status, (await error_of(answer))["param"]) == (422, param)


async def test_a_form_that_is_broken_or_cut_short_is_refused(small: Api):
    unfinished = b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nx'
    for body in (b"", b"nonsense", unfinished):
        async with small.http.post(FILES, data=body, headers=MULTIPART) as answer:
            assert answer.status == 400
            assert (await error_of(answer))["code"] == "invalid_request"


async def test_a_file_without_a_purpose_is_refused_and_nothing_is_left_to_see(
    small: Api, rows: psycopg.Connection[tuple[Any, ...]], alice: Tenant
):
    data = aiohttp.FormData()
    data.add_field("file", b"x", filename="f")
    async with small.http.post(FILES, data=data) as answer:
        assert answer.status == 400
        assert (await error_of(answer))["param"] == "purpose"
    assert states(rows, alice)[-1] == "deleted"


async def test_a_file_that_is_too_long_is_refused_before_and_while_it_is_read(small: Api):
    async def unannounced():
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
        for _ in range(100):
            yield b"x" * 4096

    async def endless():
        yield b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
        for _ in range(100):
            yield b'--b\r\nContent-Disposition: form-data; name="b"\r\n\r\n' + b"x" * 4000 + b"\r\n"

    for body in (form(content=b"x" * 300_000), unannounced(), endless()):
        extra = {} if isinstance(body, aiohttp.FormData) else {"headers": MULTIPART}
        async with small.http.post(FILES, data=body, **extra) as answer:
            assert answer.status == 413
            assert (await error_of(answer))["code"] == "payload_too_large"


async def test_a_caller_that_falls_silent_gets_an_answer(small: Api):
    async def silent():
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nx'
        await asyncio.sleep(30)

    async with small.http.post(FILES, data=silent(), headers=MULTIPART) as answer:
        assert answer.status == 408


async def test_a_caller_that_hardly_sends_anything_does_not_keep_its_place(small: Api):
    async def trickle():
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nx'
        while True:
            await asyncio.sleep(0.2)
            yield b"x"

    async with small.http.post(FILES, data=trickle(), headers=MULTIPART) as answer:
        assert answer.status == 408


async def test_what_a_caller_who_left_has_sent_is_given_to_the_scheduler(
    api: Api, rows: psycopg.Connection[tuple[Any, ...]], alice: Tenant
):
    before = len(states(rows, alice))

    async def cut():
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nx'
        raise ConnectionResetError

    with pytest.raises((aiohttp.ClientError, ConnectionResetError)):
        await api.http.post(FILES, data=cut(), headers=MULTIPART)

    async def given_up() -> bool:
        found = states(rows, alice)
        return len(found) == before + 1 and found[-1] == "deleted"

    await eventually(given_up)


async def test_a_name_loses_its_folders_and_the_file_comes_first_or_last(api: Api):
    async with api.http.post(FILES, data=form(name="C:\\tmp\\..\\ä b.txt")) as answer:
        assert answer.status == 200
        assert (await answer.json())["filename"] == "ä b.txt"


async def test_a_file_of_another_tenant_does_not_exist(api: Api, bob: Tenant):
    file = await api.openai.files.create(file=b"secret", purpose="user_data")
    async with openai.AsyncOpenAI(base_url=f"{api.url}/v1", api_key=bob.api_key, max_retries=0) as stranger:
        for ask in (stranger.files.retrieve, stranger.files.content, stranger.files.delete):
            with pytest.raises(openai.NotFoundError):
                await ask(file.id)
        with pytest.raises(openai.NotFoundError):
            await stranger.batches.create(
                input_file_id=file.id, endpoint="/v1/embeddings", completion_window="24h"
            )
        assert [one async for one in stranger.files.list()] == []
    assert (await api.openai.files.content(file.id)).content == b"secret"


async def test_a_file_whose_time_is_over_does_not_exist(api: Api, rows: psycopg.Connection[tuple[Any, ...]]):
    file = await api.openai.files.create(file=b"x", purpose="batch")
    assert file.expires_at == file.created_at + 30 * 86_400
    identifier: UUID = parse_file_id(file.id)
    rows.execute("UPDATE files SET expires_at = now() WHERE id = %s", (identifier,))
    with pytest.raises(openai.NotFoundError):
        await api.openai.files.retrieve(file.id)


async def test_a_list_says_which_parameter_is_wrong(api: Api):
    for query in ("limit=0", "limit=x", "order=up", "after=job_1", "colour=red"):
        async with api.http.get(f"{FILES}?{query}") as answer:
            assert answer.status == 422
            assert (await error_of(answer))["param"] == query.partition("=")[0]


async def test_an_object_store_that_is_away_is_told_and_nothing_is_seen_of_the_file(
    api: Api, rows: psycopg.Connection[tuple[Any, ...]], alice: Tenant
):
    folder = Path(api.settings.objects.url.get_secret_value().removeprefix("file://"))
    await asyncio.to_thread((folder / "files").write_text, "where the store wants a folder")
    async with api.http.post(FILES, data=form()) as answer:
        assert answer.status == 503
        assert answer.headers["Retry-After"]
        assert (await error_of(answer))["code"] == "object_store_unavailable"
    assert states(rows, alice)[-1] == "deleted"
