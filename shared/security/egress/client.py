"""An HTTP client that can reach only what the policy allows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import aiohttp
from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from yarl import URL

from shared.security.egress.names import Lookup, SystemNames
from shared.security.egress.policy import EgressPolicy
from shared.security.egress.resolver import GuardedResolver, GuardedSockets

IDLE_CONNECTION_S = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a stranger's server said."""

    status: int
    headers: Mapping[str, str]
    excerpt: bytes
    """The beginning of the body."""


class GuardedClient:
    """Posts to strangers; an async context manager.

    Args:
        policy: What may be called.
        timeout_s: For everything: name, connection, request and answer.
        connect_timeout_s: For name and connection.
        excerpt_bytes: How much of an answer's body is read; the connection is closed upon the rest.
        lookup: Asks DNS.
    """

    def __init__(
        self,
        policy: EgressPolicy,
        *,
        timeout_s: float,
        connect_timeout_s: float,
        excerpt_bytes: int,
        lookup: Lookup | None = None,
    ) -> None:
        self._policy = policy
        self._excerpt_bytes = excerpt_bytes
        self._session = ClientSession(
            connector=TCPConnector(
                resolver=GuardedResolver(policy, lookup or SystemNames()),
                socket_factory=GuardedSockets(policy),
                use_dns_cache=False,
                limit=0,
                keepalive_timeout=IDLE_CONNECTION_S,
            ),
            timeout=ClientTimeout(total=timeout_s, connect=connect_timeout_s),
            cookie_jar=DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
            skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent"),
        )

    async def __aenter__(self) -> Self:
        """Nothing connects before the first request."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close every connection."""
        await self._session.close()

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send one request; a redirect is an answer like any other.

        Raises:
            UrlNotAllowedError: The policy says no; nothing was sent.
            aiohttp.ClientError: No connection, or no answer that can be read.
            TimeoutError: Not within the time.
        """
        target = URL(self._policy.check_url(url), encoded=True)
        async with self._session.post(target, data=body, headers=headers, allow_redirects=False) as response:
            return Answer(response.status, response.headers, await self._beginning(response))

    async def _beginning(self, response: aiohttp.ClientResponse) -> bytes:
        """Read as much as is wanted. The status counts, even where the body never comes to its end."""
        read = bytearray()
        try:
            while len(read) < self._excerpt_bytes:
                chunk = await response.content.read(self._excerpt_bytes - len(read))
                if not chunk:
                    return bytes(read)
                read += chunk
        except (aiohttp.ClientError, TimeoutError):
            pass
        if not response.content.at_eof():
            response.close()
        return bytes(read)
