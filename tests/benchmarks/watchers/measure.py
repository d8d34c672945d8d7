"""Lets very many callers wait on one fleet, and looks at its ingress meanwhile."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import aiohttp
import psutil

from tests.support.fleet import Fleet

SUBMITTERS = 32
CANCELLED_AT_ONCE = 1000
TOLD_LIMIT_S = 120.0


@dataclass(frozen=True)
class Watched:
    """What waiting cost, and how it ended."""

    waiting: int
    cpu_percent: float
    """Of one core, while nothing happened."""
    memory_mb: float
    """Resident, of ingress, with all who wait."""
    memory_before_mb: float
    comments: int
    """That kept event streams open."""
    turned_away: int
    """Polls that were answered with 503, and repeated."""
    ends: dict[str, int]
    """How many callers heard of which end."""
    told_s: float
    """From the first cancel to the last caller's news."""


def watch(fleet: Fleet, kind: str, *, count: int, seconds: float) -> Watched:
    """Let ``count`` callers wait for a job each, for some time; then end the jobs."""
    status = fleet.status()
    ingress = psutil.Process(next(s["pid"] for s in status["services"] if s["name"].startswith("ingress")))
    before_mb = ingress.memory_info().rss / 2**20
    ids = asyncio.run(_submit(fleet, count))
    order = {
        "host": "127.0.0.1",
        "port": fleet.port,
        "key": fleet.api_key,
        "kind": kind,
        "limit_s": seconds + TOLD_LIMIT_S,
        "paths": [f"/v1/jobs/{job_id}" for job_id in ids],
    }
    with _callers() as callers:
        assert callers.stdin is not None
        assert callers.stdout is not None
        print(json.dumps(order), file=callers.stdin, flush=True)
        waiting = json.loads(callers.stdout.readline())["waiting"]
        cpu_s, began = _cpu_s(ingress), time.monotonic()
        time.sleep(seconds)
        cpu_percent = (_cpu_s(ingress) - cpu_s) / (time.monotonic() - began) * 100
        memory_mb = ingress.memory_info().rss / 2**20
        began = time.monotonic()
        for at in range(0, len(ids), CANCELLED_AT_ONCE):
            _cancel(fleet, ids[at : at + CANCELLED_AT_ONCE])
        answer = json.loads(callers.stdout.readline())
        told_s = time.monotonic() - began
    return Watched(
        waiting=waiting,
        cpu_percent=cpu_percent,
        memory_mb=memory_mb,
        memory_before_mb=before_mb,
        told_s=told_s,
        **answer,
    )


@contextmanager
def _callers() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.watchers"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as callers:
        try:
            yield callers
        finally:
            callers.kill()


def _cancel(fleet: Fleet, ids: list[str]) -> None:
    done = fleet.json("POST", "/v1/jobs/cancel", {"ids": ids})
    if done.get("count") != len(ids):
        raise AssertionError(f"not all are cancelled: {json.dumps(done)[:500]}")


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


async def _submit(fleet: Fleet, count: int) -> list[str]:
    """Submit jobs that do not end by themselves; most of them wait behind the first."""
    body = {
        "operation": "chat",
        "lane": "batch",
        "input": {
            "model": "simulator/echo",
            "messages": [{"role": "user", "content": "wait"}],
            "simulator": {"hang": True},
        },
    }
    ids: list[str] = []
    left = iter(range(count))

    async def submit_some(http: aiohttp.ClientSession) -> None:
        for _ in left:
            async with http.post("/v1/jobs", json=body) as answer:
                assert answer.status == 202, await answer.text()
                ids.append((await answer.json())["id"])

    headers = {"Authorization": f"Bearer {fleet.api_key}"}
    async with aiohttp.ClientSession(fleet.url, headers=headers) as http, asyncio.TaskGroup() as group:
        for _ in range(SUBMITTERS):
            group.create_task(submit_some(http))
    return ids
