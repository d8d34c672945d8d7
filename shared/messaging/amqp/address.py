"""Where a broker is, read from its URL."""

import base64
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

_PORTS = {"amqp": 5672, "amqps": 5671}


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A broker and who connects to it."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    vhost: str
    tls: Mapping[str, str] | None
    """Options of an encrypted connection, or None for one in the clear."""

    def ssl_context(self) -> ssl.SSLContext | None:
        """Build what the connection is encrypted with; reads the files that the options name.

        Raises:
            OSError, ValueError: A file or an option cannot be used.
        """
        if self.tls is None:
            return None
        authorities = self.tls.get("cadata")
        context = ssl.create_default_context(
            cafile=self.tls.get("cafile"),
            capath=self.tls.get("capath"),
            cadata=base64.b64decode(authorities) if authorities else None,
        )
        certificate = self.tls.get("certfile")
        if certificate:
            context.load_cert_chain(certificate, self.tls.get("keyfile"))
        if self.tls.get("no_verify_ssl", "0") != "0":
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def address_of(url: str) -> Address:
    """Read ``amqp://user:password@host:port/vhost``, or ``amqps://`` with options in its query.

    The options are ``cafile``, ``capath``, ``cadata`` (base64 of DER), ``certfile``, ``keyfile`` and
    ``no_verify_ssl=1``. Without user and password it is RabbitMQ's guest, without a path the virtual host
    ``/``.

    Raises:
        ValueError: It is no such URL.
    """
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError("a broker's URL begins with amqp:// or amqps:// and names a host")
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    return Address(
        host=parts.hostname,
        port=parts.port or _PORTS[parts.scheme],
        user=unquote(parts.username or "guest"),
        password=unquote(parts.password or "guest"),
        vhost=unquote(parts.path[1:]) or "/",
        tls=options if parts.scheme == "amqps" else None,
    )
