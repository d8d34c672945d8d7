"""Reads a URL so strictly that no two programs can understand it differently.

Only ASCII is taken, so that there is nothing to fold or to normalise: an international name is written in its
``xn--`` form. A host that any resolver might take for a number has to be the usual four decimals, and what is
neither an address nor a plain name is refused.
"""

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from shared.security.egress.addresses import Address
from shared.security.egress.errors import UrlNotAllowedError

MAX_URL_LENGTH = 2048
_DEFAULT_PORTS = {"http": 80, "https": 443}

_URL = re.compile(r"([A-Za-z]+)://([^/?#]*)(/[^?#]*)?(\?[^#]*)?")
_CHARACTERS = re.compile(r"[A-Za-z0-9\-._~:/?\[\]@!$&'()*+,;=%]+")
"""What RFC 3986 allows, without the fragment's ``#``."""
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
"""A last label that makes a host an IPv4 address (WHATWG URL, "ends in a number")."""


@dataclass(frozen=True, slots=True)
class HttpUrl:
    """A URL taken apart; in lower case where case means nothing."""

    scheme: str
    host: str
    """A name, or an address without brackets."""
    address: Address | None
    """Set where the host is one."""
    port: int
    path_and_query: str

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path_and_query}"


def parse_url(text: str) -> HttpUrl:
    """Read an ``http`` or ``https`` URL.

    Raises:
        UrlNotAllowedError: It is not one, or its form is ambiguous.
    """
    if len(text) > MAX_URL_LENGTH:
        raise UrlNotAllowedError(f"The URL is longer than {MAX_URL_LENGTH} characters.")
    if _CHARACTERS.fullmatch(text) is None:
        raise UrlNotAllowedError(
            "The URL may hold only the ASCII characters of RFC 3986 and no fragment; "
            "write an international name in its xn-- form."
        )
    match = _URL.fullmatch(text)
    scheme = "" if match is None else match[1].lower()
    if match is None or scheme not in _DEFAULT_PORTS:
        raise UrlNotAllowedError("The URL must begin with https:// or http://.")
    host, address, port = _authority(match[2], _DEFAULT_PORTS[scheme])
    return HttpUrl(scheme, host, address, port, (match[3] or "/") + (match[4] or ""))


def _authority(text: str, default_port: int) -> tuple[str, Address | None, int]:
    if "@" in text:
        raise UrlNotAllowedError("The URL must not hold a user or a password.")
    match = _AUTHORITY.fullmatch(text)
    if match is None:
        raise UrlNotAllowedError("The URL's host is neither a plain name nor an address.")
    port = default_port if match[2] is None else int(match[2])
    if not 0 < port <= 65535:
        raise UrlNotAllowedError("The URL's port is not between 1 and 65535.")
    host = match[1].lower()
    if host.startswith("["):
        v6 = _ipv6(host[1:-1])
        return str(v6), v6, port
    if _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]):
        v4 = _ipv4(host)
        return str(v4), v4, port
    return _name(host), None, port


def _ipv6(text: str) -> IPv6Address:
    try:
        return IPv6Address(text)
    except AddressValueError:
        raise UrlNotAllowedError("The URL's IPv6 address is malformed.") from None


def _ipv4(text: str) -> IPv4Address:
    try:
        return IPv4Address(text)
    except AddressValueError:
        raise UrlNotAllowedError("An IPv4 address must be written as four decimal numbers.") from None


def _name(text: str) -> str:
    if len(text) > 253 or not all(map(_LABEL.fullmatch, text.split("."))):
        raise UrlNotAllowedError("The URL's host is not a name that DNS can hold.")
    return text
