"""The batch API of a provider over a socket, and what its answers cost."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import aiohttp
import pytest
from prometheus_client import CollectorRegistry

from services.provider_worker.adapters.announcer import Announcer
from services.provider_worker.adapters.metrics import WorkerMetrics
from services.provider_worker.adapters.openai_batches import OpenAIBatches, RemoteBatch
from services.provider_worker.adapters.openai_provider import make_session
from services.provider_worker.adapters.price_map import PriceMap, bundled_price_file
from services.provider_worker.consumers.provider_batch_fetch import FetchAnswers
from services.simulator.app import listening
from services.simulator.settings import SimulatorSection
from shared.config.catalog import Target
from shared.config.providers import ProviderSettings
from shared.config.settings import ObjectSettings
from shared.contracts.ids import new_id
from shared.contracts.jobs import JobFinished, JobStatus, Operation
from shared.contracts.provider_batches import ProviderBatchAction, ProviderBatchAsked, line_id
from shared.errors import ProviderRejectedError, ProviderUnavailableError
from shared.messaging.broker import Message
from shared.storage.bodies import BodyStore

URL = "/v1/chat/completions"


class Kept(Announcer):
    """Keeps what would be recorded."""

    def __init__(self) -> None:
        self.finished: list[JobFinished] = []

    async def record(self, topic: str, message: Message) -> None:
        assert topic == "results.finished"
        self.finished.append(JobFinished.decode(message.body))


@dataclass
class Provider:
    """The simulator under the name of a provider that has prices."""

    target: Target
    api: OpenAIBatches
    session: aiohttp.ClientSession
    root: str

    async def behave(self, **behaviour: object) -> None:
        async with self.session.put(f"{self.root}/simulator/batches", json=behaviour) as response:
            assert response.status == 200

    async def ended(self, lines: bytes) -> RemoteBatch:
        file_id = await self.api.upload(lines, name="input")
        remote = await self.api.create(file_id, operation=Operation.CHAT, ours=str(new_id()))
        async with asyncio.timeout(10):
            while not remote.ended:
                await asyncio.sleep(0.02)
                remote = await self.api.get(remote.id)
        return remote


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with listening(SimulatorSection(port=0)) as port, make_session() as session:
        root = f"http://127.0.0.1:{port}"
        target = Target("openai", "gpt-4o-mini", ProviderSettings(base_url=f"{root}/v1"))
        yield Provider(target, OpenAIBatches(target, session), session, root)


def request(custom_id: str, **simulator: object) -> bytes:
    body = {"model": "echo", "messages": [{"role": "user", "content": "a b c"}], "simulator": simulator}
    return json.dumps({"custom_id": custom_id, "method": "POST", "url": URL, "body": body}).encode() + b"\n"


async def test_a_batch_is_found_by_our_id_and_by_no_other(provider: Provider) -> None:
    ours, since = str(new_id()), datetime.now(UTC) - timedelta(minutes=1)
    file_id = await provider.api.upload(request("a"), name="input")
    made = [await provider.api.create(file_id, operation=Operation.CHAT, ours=ours) for _ in range(2)]
    for _ in range(120):  # more than a page of others
        await provider.api.create(file_id, operation=Operation.CHAT, ours="another")
    assert [found.id for found in await provider.api.find(ours, since=since)] == [one.id for one in made]
    assert not await provider.api.find(str(new_id()), since=since)


async def test_a_provider_without_batches_has_none_and_one_that_is_down_does_not_say(
    provider: Provider,
) -> None:
    await provider.behave(status=404)
    assert not await provider.api.find("x", since=datetime.now(UTC))
    with pytest.raises(ProviderRejectedError):
        await provider.api.upload(b"", name="x")
    await provider.behave(status=500)
    with pytest.raises(ProviderUnavailableError):
        await provider.api.find("x", since=datetime.now(UTC))


async def test_the_lines_of_a_file_can_be_read_from_any_of_them_on(provider: Provider) -> None:
    file_id = await provider.api.upload(b"one\ntwo\n\nlast", name="x")

    async def lines(offset: int) -> list[tuple[bytes, int]]:
        async with aclosing(provider.api.lines(file_id, offset=offset, longest=100)) as found:
            return [line async for line in found]

    whole = await lines(0)
    assert whole == [(b"one", 4), (b"two", 8), (b"", 9), (b"last", 13)]
    for number, (_, offset) in enumerate(whole, 1):
        assert await lines(offset) == whole[number:]


async def test_answers_are_recorded_at_half_the_price(provider: Provider, tmp_path: Path) -> None:
    answered, refused, unanswered = new_id(), new_id(), new_id()
    remote = await provider.ended(
        request(line_id(answered, 1))
        + request(line_id(refused, 2), status=400)
        + request(line_id(unanswered, 3), status=503)
    )
    asked = ProviderBatchAsked(
        id=new_id(),
        tenant_id=new_id(),
        operation=Operation.CHAT,
        model="patient",
        action=ProviderBatchAction.LOOK,
        until=datetime.now(UTC) + timedelta(minutes=1),
        created_at=datetime.now(UTC),
    )
    kept, prices = Kept(), PriceMap(bundled_price_file())
    bodies = BodyStore(ObjectSettings(url=f"file://{tmp_path}"))
    fetch = FetchAnswers(kept, bodies, prices, WorkerMetrics(CollectorRegistry()), longest=2**20)
    report = await fetch(provider.api, asked, remote, provider.target, factor=Decimal("0.5"))
    assert (report.ended, report.more, sorted(report.answered)) == (True, False, [1, 2])
    ends = {end.job_id: end for end in kept.finished}
    assert set(ends) == {answered, refused}
    full = await fetch(provider.api, asked, remote, provider.target, factor=Decimal(1))
    assert full.answered == report.answered
    usage, whole = ends[answered].usage, kept.finished[2].usage
    assert (usage.input_tokens, usage.output_tokens) == (whole.input_tokens, whole.output_tokens) == (3, 3)
    assert whole.cost_microusd
    assert usage.cost_microusd == -(-whole.cost_microusd // 2)
    assert (ends[answered].status, ends[answered].start_id) == (JobStatus.COMPLETED, asked.id)
    assert json.loads(ends[answered].body)["choices"][0]["message"]["content"] == "a b c"
    failure = ends[refused].failure
    assert (ends[refused].status, failure and failure.code) == (JobStatus.FAILED, "provider_rejected")
