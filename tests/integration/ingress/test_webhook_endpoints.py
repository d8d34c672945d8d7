"""Webhook endpoints over HTTP, on a real database."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any

import aiohttp
import psycopg
import pytest

from services.ingress.settings import IngressSettings
from tests.integration.ingress.conftest import Api, Tenant, make_tenant, serve

ENDPOINTS = "/v1/webhook_endpoints"
URL = "https://hooks.example.com/penstock"
Rows = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture(scope="module")
def alice(database_url: str) -> Tenant:
    return make_tenant(database_url)


async def call(
    http: aiohttp.ClientSession, method: str, path: str, body: Any = None, status: int = 200
) -> dict[str, Any]:
    async with http.request(method, path, json=body) as answer:
        assert answer.status == status, await answer.text()
        assert answer.headers["X-Request-Id"]
        return dict(await answer.json())


async def create(http: aiohttp.ClientSession, **fields: Any) -> dict[str, Any]:
    return await call(http, "POST", ENDPOINTS, {"url": URL, **fields}, 201)


@pytest.fixture
async def as_bob(api: Api, bob: Tenant) -> AsyncGenerator[aiohttp.ClientSession]:
    headers = {"Authorization": f"Bearer {bob.api_key}"}
    async with aiohttp.ClientSession(api.url, headers=headers) as http:
        yield http


async def test_an_endpoint_shows_its_secret_once(api: Api, rows: Rows, capfd: pytest.CaptureFixture[str]):
    body = {"url": URL, "events": ["job.*"], "description": "Orders", "metadata": {"team": "orders"}}
    async with api.http.post(ENDPOINTS, json=body) as answer:
        assert answer.status == 201
        made = await answer.json()
        assert answer.headers["Location"] == f"{ENDPOINTS}/{made['id']}"
    secret = made.pop("secret")
    assert secret.startswith("whsec_")
    assert {name: made[name] for name in body} == body
    assert (made["object"], made["enabled"], made["disabled_reason"]) == ("webhook_endpoint", True, None)
    assert [state["expires_at"] for state in made["secrets"]] == [None]
    assert await call(api.http, "GET", f"{ENDPOINTS}/{made['id']}") == made
    assert made in (await call(api.http, "GET", ENDPOINTS))["data"]
    (sealed,) = rows.execute(
        "SELECT string_agg(encode(sealed, 'escape'), '') FROM webhook_secrets"
    ).fetchone()
    assert secret.removeprefix("whsec_") not in sealed
    logged = capfd.readouterr().out
    assert "/v1/webhook_endpoints" in logged
    assert secret.removeprefix("whsec_") not in logged


async def test_a_change_changes_what_it_names_by_either_method(api: Api):
    made = await create(api.http, description="first", metadata={"a": 1})
    path = f"{ENDPOINTS}/{made['id']}"
    changed = await call(api.http, "PATCH", path, {"url": "https://Other.example.com", "events": ["batch.*"]})
    assert (changed["url"], changed["events"]) == ("https://other.example.com/", ["batch.*"])
    assert (changed["description"], changed["metadata"]) == ("first", {"a": 1})
    changed = await call(api.http, "POST", path, {"description": None, "metadata": None})
    assert (changed["description"], changed["metadata"]) == ("", {})
    assert await call(api.http, "GET", path) == changed


async def test_an_endpoint_is_disabled_and_enabled_again_without_its_past(api: Api, rows: Rows):
    made = await create(api.http)
    path = f"{ENDPOINTS}/{made['id']}"
    off = await call(api.http, "PATCH", path, {"enabled": False})
    assert (off["enabled"], off["disabled_reason"]) == (False, "caller")
    assert off["disabled_at"] >= made["created_at"]
    rows.execute(
        """UPDATE webhook_endpoints SET disabled_reason = 'failing', failing_since = now()
           WHERE id = %s""",
        (made["id"].removeprefix("we_"),),
    )
    again = await call(api.http, "PATCH", path, {"enabled": False, "description": "still"})
    assert again["disabled_reason"] == "failing"
    on = await call(api.http, "PATCH", path, {"enabled": True})
    assert (on["enabled"], on["disabled_reason"], on["disabled_at"], on["failing_since"]) == (
        True,
        None,
        None,
        None,
    )


async def test_a_deleted_endpoint_is_gone_with_its_secrets(api: Api, rows: Rows):
    made = await create(api.http)
    path = f"{ENDPOINTS}/{made['id']}"
    gone = await call(api.http, "DELETE", path)
    assert gone == {"id": made["id"], "object": "webhook_endpoint.deleted", "deleted": True}
    for method in ("GET", "DELETE"):
        missing = await call(api.http, method, path, status=404)
        assert missing["error"]["code"] == "not_found"
    left = "SELECT count(*) FROM webhook_secrets WHERE endpoint_id = %s"
    assert rows.execute(left, (made["id"].removeprefix("we_"),)).fetchone() == (0,)


async def test_endpoints_are_listed_newest_first_in_pages(make_settings, database_url: str):
    async with serve(make_settings(), make_tenant(database_url)) as api:
        made = [(await create(api.http))["id"] for _ in range(5)]
        assert len({(await call(api.http, "GET", ENDPOINTS))["first_id"], made[-1]}) == 1
        first = await call(api.http, "GET", f"{ENDPOINTS}?limit=3")
        assert ([one["id"] for one in first["data"]], first["has_more"]) == (made[:1:-1], True)
        rest = await call(api.http, "GET", f"{ENDPOINTS}?limit=3&after={first['last_id']}")
        assert ([one["id"] for one in rest["data"]], rest["has_more"]) == (made[1::-1], False)


async def test_a_rotated_secret_lives_for_its_overlap(api: Api):
    made = await create(api.http)
    path = f"{ENDPOINTS}/{made['id']}/rotate-secret"
    rotated = await call(api.http, "POST", path)
    assert rotated["secret"] not in ("", made["secret"])
    current, old = rotated["secrets"]
    assert current["expires_at"] is None
    assert abs(old["expires_at"] - current["created_at"] - 86_400) <= 2
    alone = await call(api.http, "POST", path, {"overlap_s": 0})
    assert [state["expires_at"] for state in alone["secrets"]] == [None]
    assert len({made["secret"], rotated["secret"], alone["secret"]}) == 3


async def test_rotations_at_the_same_time_leave_one_current_secret(api: Api):
    made = await create(api.http)
    path = f"{ENDPOINTS}/{made['id']}/rotate-secret"
    await asyncio.gather(*(call(api.http, "POST", path) for _ in range(8)))
    states = (await call(api.http, "GET", f"{ENDPOINTS}/{made['id']}"))["secrets"]
    assert [state["expires_at"] for state in states].count(None) == 1
    assert len(states) == 4  # no more sign at a time


async def test_the_secret_for_webhooks_of_single_jobs_is_made_and_rotated(make_settings, database_url: str):
    async with serve(make_settings(), make_tenant(database_url)) as api:
        empty = {"object": "webhook_secret", "secrets": []}
        assert await call(api.http, "GET", "/v1/webhook_secret") == empty
        first = await call(api.http, "POST", "/v1/webhook_secret/rotate", {"overlap_s": 60})
        second = await call(api.http, "POST", "/v1/webhook_secret/rotate", {"overlap_s": 60})
        assert first["secret"].startswith("whsec_")
        assert first["secret"] != second["secret"]
        shown = await call(api.http, "GET", "/v1/webhook_secret")
        assert "secret" not in shown
        assert shown["secrets"] == second["secrets"]


async def test_another_tenants_endpoint_does_not_exist(api: Api, as_bob: aiohttp.ClientSession):
    made = await create(api.http)
    one = f"{ENDPOINTS}/{made['id']}"
    test = await call(api.http, "POST", f"{one}/test", status=202)
    for method, path in (
        ("GET", one),
        ("PATCH", one),
        ("POST", one),
        ("DELETE", one),
        ("POST", f"{one}/rotate-secret"),
        ("POST", f"{one}/test"),
        ("GET", f"{one}/deliveries"),
        ("GET", f"{one}/deliveries/{test['id']}"),
        ("POST", f"{one}/deliveries/{test['id']}/redeliver"),
        ("POST", f"{one}/redeliver"),
        ("GET", f"/v1/webhook_deliveries/{test['id']}"),
        ("POST", f"/v1/webhook_deliveries/{test['id']}/redeliver"),
    ):
        refused = await call(as_bob, method, path, {} if method != "GET" else None, 404)
        assert refused["error"]["code"] == "not_found", (method, path)
    for path in (ENDPOINTS, f"{ENDPOINTS}?after={made['id']}", "/v1/webhook_deliveries"):
        assert (await call(as_bob, "GET", path))["data"] == []
    assert await call(api.http, "GET", one) == {k: v for k, v in made.items() if k != "secret"}


REFUSED = (
    "http://127.0.0.1/hook",
    "http://2130706433/",
    "http://[::ffff:10.0.0.1]/",
    "http://169.254.169.254/latest/meta-data",
    "http://localhost:9000/",
    "https://user:secret@hooks.example.com/",
    "ftp://hooks.example.com/",
    "https://hooks.example.com:5432/",
    "hooks.example.com",
    "https://hooks.example.com/\0",
    "",
    "https://hooks.example.com/" + "x" * 10_000,
)


async def test_a_url_that_may_not_be_called_is_refused_with_its_name(api: Api):
    made = await create(api.http)
    for url in REFUSED:
        for method, path in (("POST", ENDPOINTS), ("PATCH", f"{ENDPOINTS}/{made['id']}")):
            refused = (await call(api.http, method, path, {"url": url}, 422))["error"]
            assert (refused["code"], refused["param"]) == ("url_not_allowed", "url"), url
            assert "secret@" not in refused["message"]


async def test_an_operator_can_allow_a_network(make_settings: Callable[..., IngressSettings], alice: Tenant):
    settings = make_settings()
    egress = settings.egress.model_validate({"allowed_networks": ["127.0.0.0/8"]})
    async with serve(settings.model_copy(update={"egress": egress}), alice) as api:
        assert (await create(api.http, url="http://127.0.0.1:9000/hook"))[
            "url"
        ] == "http://127.0.0.1:9000/hook"


async def test_mistakes_have_a_code_and_a_name(api: Api):
    made = await create(api.http)
    one = f"{ENDPOINTS}/{made['id']}"
    for method, path, body, status, code, param in (
        ("POST", ENDPOINTS, {}, 400, "invalid_request", "url"),
        ("POST", ENDPOINTS, {"url": URL, "events": ["nonsense!"]}, 422, "invalid_value", "events[0]"),
        ("POST", ENDPOINTS, {"url": URL, "metadata": {"a": "x" * 70_000}}, 413, "payload_too_large", None),
        ("PATCH", one, {"nope": 1}, 400, "invalid_request", "nope"),
        ("POST", f"{one}/rotate-secret", {"overlap_s": -1}, 422, "invalid_value", "overlap_s"),
        ("POST", f"{one}/redeliver", {"status": "?"}, 422, "invalid_value", "status"),
        ("GET", f"{one}/deliveries?status=?", None, 422, "invalid_value", "status"),
        (
            "GET",
            f"{one}/deliveries?created_after=99999999999999999999",
            None,
            422,
            "invalid_value",
            "created_after",
        ),
        ("GET", f"{ENDPOINTS}?limit=101", None, 422, "invalid_value", "limit"),
        ("GET", f"{ENDPOINTS}/we_nonsense", None, 404, "not_found", None),
        ("GET", f"{ENDPOINTS}/{made['id'].replace('we_', 'job_')}", None, 404, "not_found", None),
        ("GET", f"{one}/deliveries/whd_{'0' * 32}", None, 404, "not_found", None),
        ("PUT", one, {}, 405, "method_not_allowed", None),
    ):
        error = (await call(api.http, method, path, body, status))["error"]
        assert (error["code"], error["param"]) == (code, param), (method, path)


async def test_a_tenant_has_no_more_endpoints_than_it_may(make_settings, database_url: str):
    async with serve(make_settings(max_webhook_endpoints=3), make_tenant(database_url)) as api:

        async def attempt() -> int:
            async with api.http.post(ENDPOINTS, json={"url": URL}) as answer:
                return answer.status

        statuses = await asyncio.gather(*(attempt() for _ in range(10)))
        assert sorted(statuses) == [201] * 3 + [409] * 7
        refused = await call(api.http, "POST", ENDPOINTS, {"url": URL}, 409)
        assert refused["error"]["code"] == "too_many_webhook_endpoints"


async def test_a_test_event_is_planned_whatever_the_filter_and_listed(api: Api):
    made = await create(api.http, events=["batch.*"])
    one = f"{ENDPOINTS}/{made['id']}"
    test = await call(api.http, "POST", f"{one}/test", status=202)
    assert (test["type"], test["status"], test["attempts"]) == ("webhook_endpoint.test", "pending", 0)
    assert test["endpoint_id"] == made["id"]
    assert test["payload"]["id"] == test["message_id"]
    assert test["payload"]["type"] == test["type"]
    for path in (f"{one}/deliveries", "/v1/webhook_deliveries"):
        assert await call(api.http, "GET", f"{path}/{test['id']}") == test
        listed = (await call(api.http, "GET", f"{path}?type=webhook_endpoint.test&status=pending"))["data"]
        brief = {name: test[name] for name in test if name not in ("payload", "earlier_attempts")}
        assert brief in listed
        assert (await call(api.http, "GET", f"{path}?status=delivered"))["data"] == []
    other = await create(api.http)
    await call(api.http, "GET", f"{ENDPOINTS}/{other['id']}/deliveries/{test['id']}", status=404)


async def test_the_end_of_a_job_is_announced_to_those_who_want_it(api: Api):
    wants, other = (
        await create(api.http, events=["job.completed"]),
        await create(api.http, events=["batch.*"]),
    )
    job = {
        "operation": "chat",
        "input": {"model": "sim/echo", "messages": [{"role": "user", "content": "hi"}]},
    }
    made = await call(api.http, "POST", "/v1/jobs", job, 202)
    await call(api.http, "GET", f"{made['urls']['self']}?wait=10")
    (delivery,) = (await call(api.http, "GET", f"{ENDPOINTS}/{wants['id']}/deliveries"))["data"]
    shown = await call(api.http, "GET", f"/v1/webhook_deliveries/{delivery['id']}")
    assert (shown["type"], shown["payload"]["data"]["id"]) == ("job.completed", made["id"])
    assert (await call(api.http, "GET", f"{ENDPOINTS}/{other['id']}/deliveries"))["data"] == []


async def test_deliveries_are_sent_again_one_or_by_filter_under_their_old_id(api: Api, rows: Rows):
    made = await create(api.http)
    one = f"{ENDPOINTS}/{made['id']}"
    tests = [await call(api.http, "POST", f"{one}/test", status=202) for _ in range(4)]
    ids = [test["id"].removeprefix("whd_") for test in tests]
    rows.execute("DELETE FROM webhook_queue WHERE delivery_id = ANY(%s::uuid[])", (ids,))
    finish = """UPDATE webhook_deliveries SET status = %s, attempts = 8, finished_at = now(), error = %s,
                last_attempt_at = now(), response_status = %s WHERE id = ANY(%s::uuid[])"""
    rows.execute(finish, ("failed", "http_status", 500, ids[:3]))
    rows.execute(finish, ("delivered", None, 200, ids[3:]))

    page = await call(api.http, "GET", f"{one}/deliveries?status=failed&limit=2")
    assert [delivery["id"] for delivery in page["data"]] == [tests[2]["id"], tests[1]["id"]]
    assert page["data"][0]["last_attempt"]["response_status"] == 500
    again = await call(api.http, "POST", f"{one}/deliveries/{tests[3]['id']}/redeliver", status=202)
    assert (again["status"], again["message_id"]) == ("pending", tests[3]["message_id"])
    count = await call(api.http, "POST", f"{one}/redeliver", {"limit": 2}, 202)
    assert count == {"object": "webhook_redelivery", "redelivered": 2}
    assert (await call(api.http, "POST", f"{one}/redeliver", status=202))["redelivered"] == 1
    assert (await call(api.http, "POST", f"{one}/redeliver", {"created_before": 60}, 202))["redelivered"] == 0
    (queued,) = rows.execute(
        "SELECT count(*) FROM webhook_queue WHERE delivery_id = ANY(%s::uuid[])", (ids,)
    ).fetchone()
    assert queued == 4


async def test_nothing_is_sent_to_an_endpoint_that_is_disabled_or_deleted(api: Api):
    made = await create(api.http)
    one = f"{ENDPOINTS}/{made['id']}"
    test = await call(api.http, "POST", f"{one}/test", status=202)
    await call(api.http, "PATCH", one, {"enabled": False})
    again = f"/v1/webhook_deliveries/{test['id']}/redeliver"
    for path in (f"{one}/test", f"{one}/redeliver", f"{one}/deliveries/{test['id']}/redeliver", again):
        refused = await call(api.http, "POST", path, status=409)
        assert refused["error"]["code"] == "webhook_endpoint_disabled"
    await call(api.http, "DELETE", one)
    await call(api.http, "POST", again, status=409)
    assert (await call(api.http, "GET", f"/v1/webhook_deliveries/{test['id']}"))["endpoint_id"] == made["id"]


async def test_a_day_without_its_partition_is_a_wait_and_no_bug(api: Api, database_url: str):
    made = await create(api.http)
    test = f"{ENDPOINTS}/{made['id']}/test"
    with psycopg.connect(database_url, autocommit=True) as owner:
        parts = owner.execute(
            """SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits i
               JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'webhook_deliveries'::regclass"""
        ).fetchall()
        for name, _ in parts:
            owner.execute(f"ALTER TABLE webhook_deliveries DETACH PARTITION {name}")
        try:
            assert (await call(api.http, "POST", test, status=503))["error"]["code"] == "database_unavailable"
        finally:
            for name, bounds in parts:
                owner.execute(f"ALTER TABLE webhook_deliveries ATTACH PARTITION {name} {bounds}")
    await call(api.http, "POST", test, status=202)
