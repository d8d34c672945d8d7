"""The rules of an installation: what may be called beside the public internet, and what not even there."""

from ipaddress import IPv4Address, IPv6Address, ip_address

from shared.config.settings import EgressSettings
from shared.security.egress.addresses import is_public, within
from shared.security.egress.errors import UrlNotAllowedError
from shared.security.egress.ports import is_web_port
from shared.security.egress.url import HttpUrl, parse_url

_INTERNAL = ("localhost", "local", "internal", "intranet", "lan", "home", "corp", "arpa", "onion", "invalid")
"""Last labels that no public name has, or none that serves the web."""


class EgressPolicy:
    """Decides about URLs and addresses; knows no I/O."""

    def __init__(self, settings: EgressSettings) -> None:
        self._allowed = settings.allowed_networks
        self._denied = settings.denied_networks
        self._https_only = settings.https_only

    def check_url(self, text: str) -> str:
        """Return a URL in its normal form, if it may be called as far as can be told without resolving it.

        Raises:
            UrlNotAllowedError: It may not.
        """
        return str(self.parse(text))

    def parse(self, text: str) -> HttpUrl:
        """Do the same, and return its parts."""
        url = parse_url(text)
        if self._https_only and url.scheme != "https":
            raise UrlNotAllowedError("The URL must begin with https://.")
        if not is_web_port(url.port):
            raise UrlNotAllowedError(f"Port {url.port} may not be called.")
        if url.address is not None:
            self.check_address(url.address, url.port)
        elif not self._allowed and _is_internal(url.host):
            raise UrlNotAllowedError("The URL's host is not a public name.")
        return url

    def check_address(self, address: str | IPv4Address | IPv6Address, port: int) -> None:
        """Return if a connection may go there.

        Raises:
            UrlNotAllowedError: It may not.
        """
        try:
            parsed = ip_address(address)
        except ValueError:
            raise UrlNotAllowedError("The URL leads to something that is no address.") from None
        if isinstance(parsed, IPv6Address) and parsed.scope_id is not None:
            raise UrlNotAllowedError("The URL leads to an address with a zone.")
        if not is_web_port(port):
            raise UrlNotAllowedError(f"Port {port} may not be called.")
        if within(parsed, self._denied) or not (within(parsed, self._allowed) or is_public(parsed)):
            raise UrlNotAllowedError("The URL leads to an address that may not be called.")


def _is_internal(host: str) -> bool:
    _, dot, last = host.rpartition(".")
    return not dot or last in _INTERNAL
