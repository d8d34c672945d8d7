"""The guard's place inside aiohttp: where names become addresses, and where sockets are made."""

import socket
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

from shared.security.egress.names import Lookup
from shared.security.egress.policy import EgressPolicy


class GuardedResolver(AbstractResolver):
    """Resolves a name once for each connection; refuses it unless every address is allowed.

    Args:
        policy: Decides.
        lookup: Asks DNS.
    """

    def __init__(self, policy: EgressPolicy, lookup: Lookup) -> None:
        self._policy = policy
        self._lookup = lookup

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses to connect to, and no others will be.

        Raises:
            UrlNotAllowedError: One of them may not be called.
            OSError: The name has none.
        """
        addresses = list(dict.fromkeys(await self._lookup(host)))
        for address in addresses:
            self._policy.check_address(address, port)
        if not addresses:
            raise OSError("the name has no address")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for address in addresses
            if family in (socket.AF_UNSPEC, socket.AF_INET6 if ":" in address else socket.AF_INET)
        ]

    async def close(self) -> None:
        """Nothing is held."""


class GuardedSockets:
    """Makes the sockets of a connector: the last place that sees the address, and the one that decides."""

    def __init__(self, policy: EgressPolicy) -> None:
        self._policy = policy

    def __call__(self, info: tuple[Any, ...]) -> socket.socket:
        """Make a socket for one entry of ``getaddrinfo``.

        Raises:
            UrlNotAllowedError: No connection may go there.
        """
        family, kind, protocol, _, address = info
        self._policy.check_address(address[0], address[1])
        return socket.socket(family=family, type=kind, proto=protocol)
