"""Callers who wait: synchronous calls and streams, one after the other, each bounded in time."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.faults.campaign.chance import Chance
from tests.faults.campaign.history import Called, History, Outcome

SYNC_TIMEOUT_S = 30
"""What the fleet is configured with; a caller waits a little longer before it calls an answer late."""
CALL_LIMIT_S = SYNC_TIMEOUT_S + 10.0
PAUSE_AFTER_FAILURE_S = 0.2
DONE = "[DONE]"


class WrongAnswerError(Exception):
    """An answer that is neither what was asked for nor an honest error."""


class HonestError(Exception):
    """An error in the shape that is promised, with a status that says to come again."""


@dataclass(kw_only=True)
class Callers:
    """Calls until it is told to stop; a call under way is finished."""

    session: aiohttp.ClientSession
    history: History
    rng: Chance
    callers: int = 4
    streamers: int = 2
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    _count: int = 0

    async def run(self) -> None:
        """Return when the last call has its end."""
        async with asyncio.TaskGroup() as group:
            for number in range(self.callers + self.streamers):
                group.create_task(self._call_on(streamed=number >= self.callers))

    async def _call_on(self, *, streamed: bool) -> None:
        while not self.stop.is_set():
            await asyncio.sleep(self.rng.uniform(0, 0.2))
            if await self.call(streamed=streamed) != "answered":
                await asyncio.sleep(PAUSE_AFTER_FAILURE_S)

    async def call(self, *, streamed: bool, delay_ms: int | None = None) -> Outcome:
        """Make one call and record how it ended; its delay is random unless it is given."""
        self._count += 1
        simulator: dict[str, Any] = {"tokens_per_s": self.rng.choice((10, 40, 200))} if streamed else {}
        simulator["delay_ms"] = self.rng.choice((0, 50, 500)) if delay_ms is None else delay_ms
        text = " ".join(f"call-{self._count}:{number}" for number in range(20))
        began = self.history.now()
        detail = job_id = ""
        outcome: Outcome = "answered"
        try:
            async with asyncio.timeout(CALL_LIMIT_S):
                job_id = await (self._stream if streamed else self._ask)(text, simulator)
        except HonestError as error:
            outcome, detail = "error", str(error)
        except WrongAnswerError as error:
            outcome, detail = "wrong", str(error)
        except TimeoutError:
            outcome = "late"
        except (aiohttp.ClientError, OSError) as error:
            outcome, detail = "broken", repr(error)
        self.history.record(
            Called(streamed=streamed, began=began, outcome=outcome, detail=detail, job_id=job_id)
        )
        return outcome

    async def _ask(self, text: str, simulator: dict[str, Any]) -> str:
        body = self._body(text, simulator)
        async with self.session.post("/v1/chat/completions", json=body) as answer:
            content = await answer.json()
            _raise_for(answer.status, content)
        if content["choices"][0]["message"]["content"] != text:
            raise WrongAnswerError(str(content))
        return answer.headers["X-Job-Id"]

    async def _stream(self, text: str, simulator: dict[str, Any]) -> str:
        body = self._body(text, simulator) | {"stream": True}
        said, done = "", False
        async with self.session.post("/v1/chat/completions", json=body) as answer:
            if answer.status != 200:
                _raise_for(answer.status, await answer.json())
            async for raw in answer.content:
                data = raw.decode().strip().removeprefix("data: ")
                if data == DONE:
                    done = True
                elif data:
                    said += _text_of(json.loads(data))
        if not done or said != text:
            raise WrongAnswerError(f"done: {done}, said: {said}")
        return answer.headers["X-Job-Id"]

    @staticmethod
    def _body(text: str, simulator: dict[str, Any]) -> dict[str, Any]:
        return {
            "model": "simulator/echo",
            "messages": [{"role": "user", "content": text}],
            "simulator": simulator,
        }


def _text_of(chunk: dict[str, Any]) -> str:
    if "error" in chunk:
        raise HonestError(str(chunk["error"]))
    return "".join(choice["delta"].get("content") or "" for choice in chunk["choices"])


def _raise_for(status: int, content: dict[str, Any]) -> None:
    if status == 200:
        return
    if status in (429, 502, 503, 504) and content.get("error", {}).get("code"):
        raise HonestError(f"{status} {content['error']['code']}")
    raise WrongAnswerError(f"{status} {content}")
