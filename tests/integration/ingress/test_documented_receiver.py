"""The receiver in docs/api.md, run as it stands there."""

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import aiohttp
import pytest

from shared.security.webhook_secrets import mint_secret
from shared.security.webhook_signatures import sign
from tests.integration.ingress.conftest import eventually
from tests.support.fleet import free_port

API = Path(__file__).parents[3] / "docs" / "api.md"
SECRET = mint_secret()


def program(port: int) -> str:
    section = API.read_text().partition("## Webhooks\n")[2]
    found = re.search(r"```python\n(.*?)```", section, re.DOTALL)
    assert found is not None
    text = found[1].replace("whsec_…", SECRET).replace("8090", str(port))
    assert SECRET in text
    assert str(port) in text
    return text


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def said(port: int, tmp_path: Path) -> Iterator[Callable[[], str]]:
    file = tmp_path / "said"
    with file.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-u", "-c", program(port)], stdout=output, stderr=subprocess.DEVNULL
        )
    yield file.read_text
    process.kill()
    process.wait()


async def test_the_documented_receiver_takes_what_is_genuine_once(said: Callable[[], str], port: int):
    url, body = f"http://127.0.0.1:{port}/", b'{"type":"job.completed","data":{"note":"\xc3\xa4"}}'

    async with aiohttp.ClientSession() as http:

        async def deliver(secret: str, timestamp: int) -> int:
            headers = {
                "webhook-id": "msg_1",
                "webhook-timestamp": str(timestamp),
                "webhook-signature": sign([secret], "msg_1", timestamp, body),
            }
            async with http.post(url, data=body, headers=headers) as answer:
                return answer.status

        async def listens() -> bool:
            try:
                async with http.post(url, data=b"{}") as answer:
                    return answer.status == 401
            except aiohttp.ClientConnectionError:
                return False

        await eventually(listens)
        now = int(time.time())
        assert await deliver(mint_secret(), now) == 401
        assert await deliver(SECRET, now - 3600) == 401
        assert said() == ""
        assert [await deliver(SECRET, now), await deliver(SECRET, now)] == [204, 204]
        assert said().encode() == body + b"\n"
