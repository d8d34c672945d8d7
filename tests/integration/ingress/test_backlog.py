"""Submissions while too much waits, and the place of a job, by what the scheduler broadcasts."""

from collections.abc import AsyncGenerator, Callable

import pytest

from services.ingress.settings import IngressSettings
from shared.contracts.backlog import BacklogEstimated, QueueEstimate
from shared.contracts.jobs import Lane, Operation
from shared.messaging.broker import Message
from shared.messaging.factory import make_broker
from tests.integration.ingress.conftest import Api, Tenant, eventually, hello, serve

LIMITS = {
    "interactive": {"max_wait_s": 2, "max_jobs": 1000},
    "standard": {"max_wait_s": 10, "max_jobs": 1000},
}
WAITING, RATE = 300, 20.0
JOB = {"operation": "chat", "input": hello("sim/silent")}


@pytest.fixture
async def limited(make_settings: Callable[..., IngressSettings], alice: Tenant) -> AsyncGenerator[Api]:
    async with serve(make_settings(backlog=LIMITS), alice) as served:
        yield served


async def tell(api: Api, *estimates: QueueEstimate) -> None:
    broker = make_broker(api.settings.broker, name="scheduler")
    await broker.connect()
    contract = BacklogEstimated(term="test", queues=estimates)
    await broker.broadcast(Message(type=contract.message_type, body=contract.encode()))
    await broker.close()


def full(lane: Lane, *, waiting: int = WAITING) -> QueueEstimate:
    return QueueEstimate(
        operation=Operation.CHAT, lane=lane, waiting=waiting, running=4, arrived=waiting, per_second=RATE
    )


@pytest.mark.parametrize(
    ("lane", "path", "body", "headers"),
    [
        (Lane.STANDARD, "/v1/jobs", JOB, {}),
        (Lane.STANDARD, "/v1/chat/completions", hello(), {"Prefer": "respond-async"}),
        (Lane.INTERACTIVE, "/v1/chat/completions", hello(), {}),
        (Lane.INTERACTIVE, "/v1/chat/completions", hello(stream=True), {}),
    ],
    ids=["a job", "respond-async", "a call", "a stream"],
)
async def test_what_would_wait_too_long_is_refused_and_told_when_to_come_back(
    limited: Api, lane: Lane, path: str, body: object, headers: dict[str, str]
) -> None:
    await tell(limited, full(lane))

    async def refused() -> bool:
        async with limited.http.post(path, json=body, headers=headers) as answer:
            return answer.status == 429

    await eventually(refused)
    seen = len(limited.worker.requests)
    async with limited.http.post(path, json=body, headers=headers) as answer:
        error = (await answer.json())["error"]
        assert (answer.status, error["code"], error["type"]) == (429, "queue_full", "rate_limit_error")
        expected_s = WAITING / RATE - 0.9 * LIMITS[lane.value]["max_wait_s"]
        assert expected_s - 4 <= int(answer.headers["Retry-After"]) <= expected_s + 1
        assert 0 <= 1000 * int(answer.headers["Retry-After"]) - int(answer.headers["retry-after-ms"]) < 1000
    assert len(limited.worker.requests) == seen, "what is refused is not published"


async def test_one_full_lane_closes_no_other(limited: Api) -> None:
    await tell(limited, full(Lane.STANDARD))

    async def refused() -> bool:
        async with limited.http.post("/v1/jobs", json=JOB) as answer:
            return answer.status == 429

    await eventually(refused)
    async with limited.http.post("/v1/chat/completions", json=hello()) as answer:
        assert answer.status == 200
    async with limited.http.post("/v1/jobs", json={**JOB, "lane": "batch"}) as answer:
        assert answer.status == 202


async def test_a_job_that_waits_is_told_its_place_and_one_that_ended_is_not(limited: Api) -> None:
    async with limited.http.post("/v1/jobs", json=JOB) as answer:
        assert (await answer.json())["queue"] is None, "nothing has been heard yet"
        path = f"/v1/jobs/{(await answer.json())['id']}"
    await tell(limited, full(Lane.STANDARD, waiting=50))

    async def placed() -> bool:
        async with limited.http.get(path) as answer:
            return (await answer.json())["queue"] == {"position": 50, "estimated_wait_s": 2.5}

    await eventually(placed)
    async with limited.http.post(f"{path}/cancel") as answer:
        assert (await answer.json())["queue"] is None
