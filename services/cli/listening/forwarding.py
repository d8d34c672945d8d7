"""Hands what came on to a program under development."""

from collections.abc import Mapping

import aiohttp

TIMEOUT_S = 14.0
"""Below what the fleet waits for an answer."""
_OWN = frozenset({"host", "content-length", "connection", "transfer-encoding", "accept-encoding"})


class Forwarder:
    """Sends the body byte for byte and the headers as they came, so that its receiver can verify them."""

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self._url = url
        self._http = http

    async def __call__(self, headers: Mapping[str, str], body: bytes) -> tuple[int, str]:
        """Return the status for the fleet, and what happened; 502 where nobody answers."""
        kept = {name: value for name, value in headers.items() if name.lower() not in _OWN}
        try:
            async with self._http.post(
                self._url,
                data=body,
                headers=kept,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
            ) as answer:
                return answer.status, str(answer.status)
        except TimeoutError:
            return 502, f"no answer within {TIMEOUT_S:g} s"
        except (aiohttp.ClientError, OSError) as error:
            return 502, f"not reached ({type(error).__name__})"
