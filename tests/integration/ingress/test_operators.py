"""What operators may do over HTTP, what they get wrong, and what a tenant's key may not."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Any

import aiohttp
import psycopg
import pytest

from services.ingress.settings import IngressSettings
from shared.contracts.ids import new_id, parse_public_id
from shared.contracts.jobs import JobRequested
from shared.messaging.broker import Message
from shared.messaging.topology import FLEET
from tests.integration.ingress.conftest import Api, Tenant, eventually, hello, make_tenant, serve

ADMIN = "/api/v1/admin"
CHATS = "jobs.chat.batch.v1"
QUEUE = f"{ADMIN}/queues/{CHATS}"
LETTERS = f"{QUEUE}/dead-letters"
ROUTES = (
    ("GET", f"{ADMIN}/queues"),
    ("GET", QUEUE),
    *(("POST", f"{QUEUE}/{action}") for action in ("pause", "resume", "drain", "purge")),
    ("GET", LETTERS),
    ("POST", f"{LETTERS}/replay"),
    ("POST", f"{LETTERS}/discard"),
    ("GET", f"{ADMIN}/workers"),
    ("POST", f"{ADMIN}/workers/somebody/drain"),
    ("POST", f"{ADMIN}/workers/somebody/resume"),
)
FIELDS = {"success", "data", "message", "error", "details", "meta"}


@pytest.fixture(scope="module")
def operator_key(database_url: str) -> str:
    return make_tenant(database_url, "operator").api_key


@pytest.fixture
async def operator(api: Api, operator_key: str) -> AsyncGenerator[aiohttp.ClientSession]:
    headers = {"Authorization": f"Bearer {operator_key}"}
    async with aiohttp.ClientSession(api.url, headers=headers) as http:
        yield http
        async with http.post(f"{QUEUE}/resume") as answer:
            assert answer.status == 200


@pytest.fixture
def owner(database_url: str) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """The database as its superuser, who sees the broker's tables, too."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


async def ask(http: aiohttp.ClientSession, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
    async with http.request(method, path, data=data) as answer:
        envelope = await answer.json()
        assert answer.headers["X-Request-Id"]
    assert set(envelope) == FIELDS
    assert envelope["success"] is (answer.status == 200)
    return answer.status, envelope


async def submit(api: Api, model: str = "sim/silent") -> dict[str, Any]:
    body = {"operation": "chat", "lane": "batch", "input": hello(model)}
    async with api.http.post("/v1/jobs", json=body) as answer:
        assert answer.status == 202, await answer.text()
        return dict(await answer.json())


async def status_of(api: Api, job: dict[str, Any]) -> str:
    async with api.http.get(job["urls"]["self"]) as answer:
        return str((await answer.json())["status"])


async def depth_is(http: aiohttp.ClientSession, depth: int) -> None:
    async def it_is() -> bool:
        return bool((await ask(http, "GET", QUEUE))[1]["data"]["depth"] == depth)

    await eventually(it_is)


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_a_tenants_key_steers_nothing(api: Api, method: str, path: str):
    status, envelope = await ask(api.http, method, path, {})
    assert (status, envelope["error"]) == (403, "operator_required")
    async with aiohttp.ClientSession(api.url) as nobody:
        status, envelope = await ask(nobody, method, path, {})
    assert (status, envelope["error"]) == (401, "invalid_api_key")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", f"{ADMIN}/queues/jobs.chat", 404, "not_found"),
        ("GET", f"{ADMIN}/queues/{'x' * 3000}", 404, "not_found"),
        ("GET", f"{ADMIN}/queues/%00%ff%0a", 404, "not_found"),
        ("POST", f"{ADMIN}/queues/jobs.chat.batch.v2/pause", 404, "not_found"),
        ("POST", f"{ADMIN}/queues/results.v1/purge", 409, "queue_not_steerable"),
        ("POST", f"{ADMIN}/queues/results.v1/drain", 409, "queue_not_steerable"),
        ("GET", f"{ADMIN}/nothing", 404, "not_found"),
        ("DELETE", QUEUE, 405, "method_not_allowed"),
    ],
)
async def test_what_does_not_exist_or_cannot_be_is_said_in_the_envelope(
    operator: aiohttp.ClientSession, method: str, path: str, status: int, code: str
):
    answered, envelope = await ask(operator, method, path, {})
    assert (answered, envelope["error"]) == (status, code)


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        (f"{QUEUE}/purge", b"", "confirm"),
        (f"{QUEUE}/purge", b"{", None),
        (f"{QUEUE}/purge", b"[]", None),
        (f"{QUEUE}/purge", b"\xff", None),
        (f"{QUEUE}/purge", {"confirm": "jobs.chat.batch"}, "confirm"),
        (f"{QUEUE}/purge", {"confirm": CHATS, "force": True}, "force"),
        (f"{QUEUE}/purge", {"confirm": None}, "confirm"),
        (f"{LETTERS}/replay", {}, None),
        (f"{LETTERS}/replay", {"all": False}, None),
        (f"{LETTERS}/replay", {"all": True, "reason": "x"}, None),
        (f"{LETTERS}/replay", {"ids": "x"}, "ids"),
        (f"{LETTERS}/replay", {"ids": [1]}, "ids.0"),
        (f"{LETTERS}/discard", {"ids": ["x"] * 1001}, "ids"),
        (f"{LETTERS}/discard", {"reason": ""}, "reason"),
        (f"{LETTERS}/discard", {"older_than_s": -1}, "older_than_s"),
        (f"{LETTERS}/discard", b'{"older_than_s": NaN}', "older_than_s"),
        (f"{LETTERS}?page=0", None, "page"),
        (f"{LETTERS}?page=x", None, "page"),
        (f"{LETTERS}?per_page=101", None, "per_page"),
        (f"{LETTERS}?excerpt=-1", None, "excerpt"),
        (f"{LETTERS}?older_than_s=nan", None, "older_than_s"),
    ],
)
async def test_bad_input_names_the_field_at_fault(
    operator: aiohttp.ClientSession, path: str, body: Any, field: str | None
):
    status, envelope = await ask(operator, "GET" if body is None else "POST", path, body)
    assert status in (400, 422)
    assert [detail["field"] for detail in envelope["details"]] == ([field] if field else [])


async def test_strange_texts_in_a_filter_find_nothing(operator: aiohttp.ClientSession):
    for body in ({"reason": "a\0b"}, {"reason": "%_\\'"}, {"ids": ["", "9" * 30, "🐎"]}, {"ids": []}):
        status, envelope = await ask(operator, "POST", f"{LETTERS}/replay", body)
        assert (status, envelope["data"]["replayed"]) == (200, 0)
    assert (await ask(operator, "GET", f"{LETTERS}?reason=%00%ff&page=1000&per_page=100"))[1]["data"] == []


async def test_every_queue_of_the_topology_is_listed(operator: aiohttp.ClientSession):
    status, envelope = await ask(operator, "GET", f"{ADMIN}/queues")
    assert status == 200
    assert [queue["name"] for queue in envelope["data"]] == list(FLEET.by_name)
    status, envelope = await ask(operator, "GET", f"{ADMIN}/workers")
    assert (status, envelope["data"]) == (200, [])


async def test_a_purge_gives_every_job_its_end_before_its_message_goes(
    api: Api, operator: aiohttp.ClientSession, alice: Tenant, bob: Tenant
):
    assert (await ask(operator, "POST", f"{QUEUE}/pause"))[1]["data"]["state"] == "paused"
    job = await submit(api)
    headers = {"Authorization": f"Bearer {bob.api_key}"}
    async with aiohttp.ClientSession(api.url, headers=headers) as http:
        body = {"operation": "chat", "lane": "batch", "input": hello("sim/silent")}
        async with http.post("/v1/jobs", json=body) as answer:
            others = await answer.json()
    await api.worker._broker.publish("jobs.chat.batch", Message(type="job.requested.v1", body=b"no job"))
    ended = await submit(api)
    async with api.http.post(ended["urls"]["cancel"]) as answer:
        assert answer.status == 200
    await depth_is(operator, 4)
    status, envelope = await ask(operator, "POST", f"{QUEUE}/purge", {"confirm": CHATS})
    assert status == 200
    expected = {"purged": 4, "cancelled": 2, "calls": 0, "unreadable": 1, "more": False}
    assert envelope["data"] == expected
    assert [await status_of(api, each) for each in (job, ended)] == ["cancelled", "cancelled"]
    async with aiohttp.ClientSession(api.url, headers=headers) as http, http.get(others["urls"]["self"]) as r:
        assert (await r.json())["error"]["code"] == "queue_purged"
    async with api.http.get(others["urls"]["self"]) as answer:
        assert answer.status == 404
    assert (await ask(operator, "GET", QUEUE))[1]["data"]["depth"] == 0


async def test_a_drain_at_one_ingress_holds_at_every_other_and_after_a_restart(
    api: Api,
    operator: aiohttp.ClientSession,
    make_settings: Callable[..., IngressSettings],
    alice: Tenant,
):
    async with serve(make_settings(), alice) as other:
        assert (await ask(operator, "POST", f"{QUEUE}/drain"))[1]["data"]["draining"] is True

        async def refuses() -> bool:
            body = {"operation": "chat", "lane": "batch", "input": hello()}
            async with other.http.post("/v1/jobs", json=body) as answer:
                refused = answer.status == 503
                if refused:
                    assert (await answer.json())["error"]["code"] == "queue_draining"
                    assert int(answer.headers["Retry-After"]) > 0
                return refused

        await eventually(refuses)
    async with serve(make_settings(), alice) as fresh:

        async def refuses_too() -> bool:
            body = {"operation": "chat", "lane": "batch", "input": hello()}
            async with fresh.http.post("/v1/jobs", json=body) as answer:
                return answer.status == 503

        await eventually(refuses_too)
    assert (await ask(operator, "POST", f"{QUEUE}/resume"))[1]["data"]["draining"] is False
    assert (await submit(api))["status"] == "queued"


def bury(owner: psycopg.Connection[Any], body: bytes, reason: str) -> None:
    owner.execute(
        "INSERT INTO penstock_broker.dead_letters (queue, message, headers, reason, attempt, published_at)"
        ' VALUES (%s, to_jsonb(%s::text), \'{"type": "job.requested.v1"}\', %s, 5, now())',
        (CHATS, body.decode(), reason),
    )


async def test_a_replay_leaves_the_letters_of_jobs_that_have_their_end(
    api: Api, operator: aiohttp.ClientSession, owner: psycopg.Connection[Any]
):
    lost, ended = await submit(api), await submit(api)
    for _ in range(2):
        await api.worker.seen.get()
    requests = {job.job_id: job for job in api.worker.requests}
    async with api.http.post(ended["urls"]["cancel"]) as answer:
        assert answer.status == 200
    of_lost = requests[parse_public_id("job", lost["id"])]
    of_ended = requests[parse_public_id("job", ended["id"])]
    forgotten = of_lost.model_copy(update={"job_id": new_id()})
    call = of_lost.model_copy(update={"background": False})
    for request in (of_lost, of_ended, forgotten, call):
        bury(owner, request.encode(), "worker_crashed: given up")
    _, envelope = await ask(operator, "GET", f"{LETTERS}?reason=crashed&per_page=2&excerpt=20")
    assert [letter["job_id"] for letter in envelope["data"]] == [lost["id"], ended["id"]]
    assert envelope["meta"]["pagination"] == {"page": 1, "per_page": 2, "total": None}
    assert len(envelope["data"][0]["body_excerpt"]) == 20
    many = [ask(operator, "POST", f"{LETTERS}/replay", {"reason": "crashed"}) for _ in range(3)]
    results = [envelope["data"] for _, envelope in await asyncio.gather(*many)]
    assert sum(result["replayed"] for result in results) == 1
    whys = {stay["job_id"]: stay["why"] for result in results for stay in result["staying"]}
    assert whys[ended["id"]] == "its job is cancelled; retry the job instead"
    assert "its job is not kept any more" in whys.values()
    again: JobRequested = await asyncio.wait_for(api.worker.seen.get(), 20)
    assert again.job_id == of_lost.job_id
    status, envelope = await ask(operator, "POST", f"{LETTERS}/discard", {"all": True})
    assert (status, envelope["data"]["discarded"]) == (200, 3)
    assert api.worker.seen.empty()


async def test_every_action_is_in_the_log_with_the_key_that_did_it(
    operator: aiohttp.ClientSession, capfd: pytest.CaptureFixture[str]
):
    await ask(operator, "POST", f"{QUEUE}/pause")
    await ask(operator, "POST", f"{QUEUE}/purge", {"confirm": "wrong"})
    said = capfd.readouterr()
    lines = [line for line in (said.out + said.err).splitlines() if "operator action" in line]
    assert any("queue.pause" in line and "api_key_id" in line for line in lines)
    assert any("queue.purge" in line and "invalid_value" in line for line in lines)
