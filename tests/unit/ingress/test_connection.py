"""Clients that close their connection."""

import asyncio
import gc
import weakref

import pytest

from services.ingress.api import connection
from services.ingress.api.connection import Departure, while_connected
from services.ingress.domain.client_gone import ClientGoneError


class Body:
    """Stands for what the frames of a request hold."""


async def gone():
    return {"type": "http.disconnect"}


async def test_a_wait_ends_with_its_client_and_leaves_nothing():
    async def wait(tasks):
        body = Body()
        try:
            async with while_connected(gone, tasks):
                await asyncio.sleep(10)
        except ClientGoneError:
            return weakref.ref(body)

    gc.disable()
    try:
        async with asyncio.TaskGroup() as tasks:
            (body,) = await asyncio.gather(wait(tasks))  # in a task of its own, as the server does
        assert body() is None
    finally:
        gc.enable()


async def test_a_call_that_was_listened_for_leaves_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connection, "UNNOTICED_S", 0)
    listening = asyncio.Event()

    async def receive():
        listening.set()
        await asyncio.Event().wait()

    async def call(tasks):
        body = Body()
        with Departure(receive, tasks, lambda _, body=body: None):
            await listening.wait()
        return weakref.ref(body)

    gc.disable()
    try:
        async with asyncio.TaskGroup() as tasks:
            (body,) = await asyncio.gather(call(tasks))
        assert body() is None
    finally:
        gc.enable()
