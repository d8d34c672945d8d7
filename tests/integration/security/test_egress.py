"""The egress guard against real servers, which say whether anybody connected."""

import asyncio
import socket
import ssl
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv4Network, ip_network
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from yarl import URL

from shared.config.settings import EgressSettings
from shared.security.egress import EgressPolicy, UrlNotAllowedError
from shared.security.egress.client import GuardedClient
from shared.security.egress.names import SystemNames
from shared.security.egress.ports import is_web_port
from tests.support.counting import CountingServer, answering, counting, read_request

PUBLIC = EgressPolicy(EgressSettings())
STANDS_FOR_PUBLIC, INTERNAL = "127.0.0.1", "127.0.0.2"
THIS_MACHINE = str(IPv4Address(0))
ONE_ALLOWED = EgressPolicy(EgressSettings(allowed_networks=(IPv4Network(STANDS_FOR_PUBLIC),)))

LOOPBACK_HOSTS = (
    *("127.0.0.1", "127.1", "127.0.1", "127.255.0.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1"),
    *("017700000001", "0", THIS_MACHINE, "localhost", "LOCALHOST", "localhost.", "a.localhost", "127.0.0.1."),
    *("[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]"),
    *("[0:0:0:0:0:0:0:1]", "[::ffff:0:127.0.0.1]", "user@127.0.0.1", "example.com@127.0.0.1"),
    *("\uff11\uff12\uff17.0.0.1", "127\u30020\u30020\u30021", "%31%32%37.0.0.1", "127.0.0.1%00.example.com"),
    *("example.com\\@127.0.0.1", "127.0.0.1#@example.com", "127.000.000.001", "0x7f.0x0.0x0.0x1"),
)


class Names:
    """DNS that gives each answer once; the last one again and again."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def client(policy: EgressPolicy, names: Names | None = None, *, timeout_s: float = 5) -> GuardedClient:
    return GuardedClient(
        policy, timeout_s=timeout_s, connect_timeout_s=timeout_s, excerpt_bytes=100, lookup=names
    )


def web_port() -> int:
    """A free port of every loopback address that the guard has nothing against."""
    while True:
        with socket.socket() as probe:
            probe.bind(("", 0))
            port = int(probe.getsockname()[1])
        if is_web_port(port):
            return port


@pytest.fixture
async def internal() -> AsyncGenerator[CountingServer, None]:
    """Listens on every address of this machine."""
    async with counting(None, web_port()) as server:
        yield server


@pytest.mark.parametrize("host", LOOPBACK_HOSTS)
async def test_no_notation_of_loopback_leads_to_a_connection(host: str, internal: CountingServer) -> None:
    async with client(PUBLIC) as guarded:
        with pytest.raises(UrlNotAllowedError):
            await guarded.post(f"http://{host}:{internal.port}/", b"{}", {})
    assert internal.connections == 0


@pytest.mark.parametrize(
    "addresses",
    [
        [INTERNAL],
        ["127.0.0.1"],
        [THIS_MACHINE],
        ["10.0.0.1"],
        ["169.254.169.254"],
        ["::1"],
        ["::ffff:127.0.0.1"],
        ["64:ff9b::7f00:1"],
        ["fe80::1%lo"],
        ["fd00:ec2::254"],
        ["8.8.8.8", "127.0.0.1"],
        ["127.0.0.1", "8.8.8.8"],
        ["2606:4700:4700::1111", "::1"],
    ],
)
async def test_a_name_with_an_internal_address_leads_to_no_connection(
    addresses: list[str], internal: CountingServer
) -> None:
    names = Names(addresses)
    async with client(PUBLIC, names) as guarded:
        with pytest.raises(UrlNotAllowedError) as refused:
            await guarded.post(f"http://hooks.example.com:{internal.port}/", b"{}", {})
    assert internal.connections == 0
    assert names.asked == ["hooks.example.com"]
    assert not any(address in refused.value.message for address in addresses)


async def test_a_name_that_changes_its_answer_is_resolved_once_and_its_first_answer_is_used() -> None:
    port = web_port()
    async with counting(STANDS_FOR_PUBLIC, port) as public, counting(INTERNAL, port) as internal:
        names = Names([STANDS_FOR_PUBLIC], [INTERNAL])
        async with client(ONE_ALLOWED, names) as guarded:
            answer = await guarded.post(f"http://rebind.example.com:{port}/", b"{}", {})
            assert answer.status == 204
            assert names.asked == ["rebind.example.com"]
            assert (public.connections, internal.connections) == (1, 0)

        async with client(ONE_ALLOWED, names) as another:  # has no connection yet, so it has to ask
            with pytest.raises(UrlNotAllowedError):
                await another.post(f"http://rebind.example.com:{port}/", b"{}", {})
        assert (public.connections, internal.connections) == (1, 0)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_to_an_internal_address_is_an_answer_and_not_followed(status: int) -> None:
    port = web_port()
    location = f"HTTP/1.1 {status} x\r\nLocation: http://{INTERNAL}:{port}/\r\nContent-Length: 0\r\n\r\n"
    talk = answering(location.encode())
    async with counting(STANDS_FOR_PUBLIC, port, talk) as public, counting(INTERNAL, port) as internal:
        async with client(ONE_ALLOWED) as guarded:
            answer = await guarded.post(f"http://{STANDS_FOR_PUBLIC}:{port}/", b"{}", {})
        assert answer.status == status
        assert (public.connections, internal.connections) == (1, 0)


async def test_the_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    port = web_port()
    async with counting(STANDS_FOR_PUBLIC, port) as public, counting(INTERNAL, port) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://{INTERNAL}:{port}")
        async with client(ONE_ALLOWED, Names([STANDS_FOR_PUBLIC])) as guarded:
            await guarded.post(f"http://hooks.example.com:{port}/", b"{}", {})
        assert (public.connections, proxy.connections) == (1, 0)


async def test_even_a_url_that_nobody_has_checked_leads_to_no_connection(internal: CountingServer) -> None:
    """The last line: the sockets themselves are made by the guard."""
    async with client(PUBLIC, Names(["127.0.0.1"])) as guarded:
        for host in ("127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "hooks.example.com"):
            with pytest.raises((UrlNotAllowedError, aiohttp.ClientError)):
                await guarded._session.post(URL(f"http://{host}:{internal.port}/"))
    assert internal.connections == 0


async def test_a_redirected_connection_of_the_library_itself_would_be_refused() -> None:
    port = web_port()
    location = f"HTTP/1.1 307 x\r\nLocation: http://{INTERNAL}:{port}/\r\nContent-Length: 0\r\n\r\n"
    async with (
        counting(STANDS_FOR_PUBLIC, port, answering(location.encode())),
        counting(INTERNAL, port) as internal,
        client(ONE_ALLOWED) as guarded,
    ):
        with pytest.raises(UrlNotAllowedError):
            await guarded._session.post(f"http://{STANDS_FOR_PUBLIC}:{port}/", allow_redirects=True)
        assert internal.connections == 0


async def test_the_host_header_is_the_urls_and_not_the_address() -> None:
    heard: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await read_request(reader))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    names = Names([STANDS_FOR_PUBLIC])
    async with counting(port=web_port(), talk=talk) as server, client(ONE_ALLOWED, names) as guarded:
        url = f"http://Hooks.Example.com:{server.port}/a%2Fb?c=%20d"
        answer = await guarded.post(url, b'{"a":1}', {"User-Agent": "test"})
    head, _, body = heard[0].partition(b"\r\n\r\n")
    assert (answer.status, answer.excerpt, body) == (200, b"ok", b'{"a":1}')
    assert head.startswith(b"POST /a%2Fb?c=%20d HTTP/1.1\r\n")
    assert f"Host: hooks.example.com:{server.port}".encode() in head
    for name in (b"Cookie", b"Accept-Encoding", b"Authorization"):
        assert name not in head


async def test_the_certificate_must_be_for_the_name_and_of_a_known_authority(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(tmp_path, "other.example.com"))
    asked_for: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: asked_for.append(name)
    names = Names([STANDS_FOR_PUBLIC])
    async with counting(port=web_port(), ssl=context) as server, client(ONE_ALLOWED, names) as guarded:
        with pytest.raises(aiohttp.ClientSSLError):
            await guarded.post(f"https://hooks.example.com:{server.port}/", b"{}", {})
    assert asked_for == ["hooks.example.com"]
    assert server.connections == 0  # the handshake failed, so nobody could talk


async def test_of_an_endless_answer_only_the_beginning_is_read() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n")
        while True:
            writer.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
            await writer.drain()

    async with counting(port=web_port(), talk=talk) as server, client(ONE_ALLOWED) as guarded:
        answer = await guarded.post(f"http://{STANDS_FOR_PUBLIC}:{server.port}/", b"{}", {})
    assert (answer.status, answer.excerpt) == (200, b"x" * 100)


async def test_a_status_counts_though_its_body_never_comes() -> None:
    async def talk(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        _writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 50\r\n\r\npart")
        await reader.read()

    async with counting(port=web_port(), talk=talk) as server, client(ONE_ALLOWED, timeout_s=0.2) as guarded:
        answer = await guarded.post(f"http://{STANDS_FOR_PUBLIC}:{server.port}/", b"{}", {})
    assert (answer.status, answer.excerpt) == (202, b"part")


async def test_silence_ends_at_the_time_limit() -> None:
    async def talk(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with counting(port=web_port(), talk=talk) as server, client(ONE_ALLOWED, timeout_s=0.1) as guarded:
        with pytest.raises(TimeoutError):
            await guarded.post(f"http://{STANDS_FOR_PUBLIC}:{server.port}/", b"{}", {})


async def test_the_systems_names_are_asked_once_for_all_who_wait() -> None:
    names = SystemNames()
    answers = await asyncio.gather(*(names("localhost") for _ in range(20)))
    assert {"127.0.0.1", "::1"} & set(answers[0])
    assert all(answer is answers[0] for answer in answers)
    with pytest.raises(OSError, match="not a name"):
        await names("a" * 64)


def self_signed(folder: Path, name: str) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path.write_bytes(
        key.private_bytes(encoding, form, serialization.NoEncryption()) + certificate.public_bytes(encoding)
    )
    return path


def test_the_stand_ins_of_these_tests_are_what_they_stand_for() -> None:
    assert ip_network(STANDS_FOR_PUBLIC) != ip_network(INTERNAL)
    ONE_ALLOWED.check_address(STANDS_FOR_PUBLIC, 80)
    with pytest.raises(UrlNotAllowedError):
        ONE_ALLOWED.check_address(INTERNAL, 80)
