"""Every way to write an address that is not public is refused, without asking DNS."""

from ipaddress import IPv4Network, IPv6Network, ip_address

import pytest
from yarl import URL

from shared.config.settings import EgressSettings
from shared.security.egress import EgressPolicy, UrlNotAllowedError

PUBLIC = EgressPolicy(EgressSettings())
LOOPBACK = EgressPolicy(EgressSettings(allowed_networks=(IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))))

REFUSED = {
    "loopback": "http://127.0.0.1/",
    "loopback, another of it": "http://127.255.255.254/",
    "loopback by name": "http://localhost/",
    "loopback by name with a port": "https://localhost:8443/",
    "loopback by a name below localhost": "http://a.localhost/",
    "loopback by name in capitals": "http://LOCALHOST/",
    "loopback by name with a trailing dot": "http://localhost./",
    "this machine": "http://0.0.0.0/",
    "this network": "http://0.1.2.3/",
    "decimal": "http://2130706433/",
    "decimal beyond 32 bits": "http://4294967297/",
    "octal": "http://0177.0.0.1/",
    "octal in one number": "http://017700000001/",
    "hexadecimal": "http://0x7f.0.0.1/",
    "hexadecimal in one number": "http://0x7f000001/",
    "hexadecimal in capitals": "http://0X7F000001/",
    "hexadecimal last": "http://127.0.0.0x1/",
    "hexadecimal without digits": "http://0x/",
    "mixed notations": "http://0x7f.0.1/",
    "one number": "http://0/",
    "two numbers": "http://127.1/",
    "three numbers": "http://127.0.1/",
    "five numbers": "http://127.0.0.1.1/",
    "leading zeros": "http://127.000.000.001/",
    "trailing dot": "http://127.0.0.1./",
    "number over 255": "http://127.0.0.256/",
    "fullwidth digits": "http://\uff11\uff12\uff17.0.0.1/",
    "circled digits": "http://\u2460\u2461\u2466.0.0.1/",
    "ideographic full stops": "http://127\u30020\u30020\u30021/",
    "fullwidth full stop": "http://169\uff0e254\uff0e169\uff0e254/",
    "letters that fold to localhost": "http://\u24db\u24de\u24d2\u24d0\u24db\u24d7\u24de\u24e2\u24e3/",
    "percent-encoded host": "http://%31%32%37.0.0.1/",
    "percent-encoded dot": "http://127%2e0.0.1/",
    "private 10": "http://10.0.0.1/",
    "private 172": "http://172.31.255.255/",
    "private 192": "http://192.168.1.1/",
    "carriers' NAT": "http://100.64.0.1/",
    "cloud metadata": "http://169.254.169.254/latest/meta-data/",
    "cloud metadata, decimal": "http://2852039166/",
    "cloud metadata, hexadecimal": "http://0xa9fea9fe/",
    "cloud metadata, octal": "http://0251.0376.0251.0376/",
    "cloud metadata in carriers' NAT": "http://100.100.100.200/",
    "cloud metadata at a public address": "http://168.63.129.16/",
    "cloud metadata in the protocol range": "http://192.0.0.192/",
    "cloud metadata by name": "http://metadata.google.internal/",
    "cloud metadata, IPv6": "http://[fd00:ec2::254]/",
    "cloud metadata, mapped": "http://[::ffff:169.254.169.254]/",
    "documentation": "http://192.0.2.1/",
    "documentation 2": "http://198.51.100.7/",
    "documentation 3": "http://203.0.113.9/",
    "benchmarks": "http://198.19.0.1/",
    "multicast": "http://224.0.0.1/",
    "reserved": "http://240.0.0.1/",
    "broadcast": "http://255.255.255.255/",
    "6to4 relay": "http://192.88.99.1/",
    "IPv6 loopback": "http://[::1]/",
    "IPv6 loopback written out": "http://[0000:0000:0000:0000:0000:0000:0000:0001]/",
    "IPv6 unspecified": "http://[::]/",
    "IPv4-mapped": "http://[::ffff:127.0.0.1]/",
    "IPv4-mapped, hexadecimal": "http://[::ffff:7f00:1]/",
    "IPv4-mapped public": "http://[::ffff:8.8.8.8]/",
    "IPv4-compatible": "http://[::127.0.0.1]/",
    "IPv4-translated": "http://[::ffff:0:127.0.0.1]/",
    "NAT64": "http://[64:ff9b::7f00:1]/",
    "NAT64 of a public address": "http://[64:ff9b::8.8.8.8]/",
    "NAT64, local use": "http://[64:ff9b:1::7f00:1]/",
    "6to4": "http://[2002:7f00:1::]/",
    "Teredo": "http://[2001:0:4136:e378:8000:63bf:80ff:fffe]/",
    "ISATAP": "http://[2a00:1450:4001:80b:0:5efe:10.0.0.1]/",
    "ISATAP, universal bit": "http://[2a00:1450:4001:80b:200:5efe:7f00:1]/",
    "unique local": "http://[fd12:3456::1]/",
    "link-local": "http://[fe80::1]/",
    "link-local with a zone": "http://[fe80::1%25eth0]/",
    "link-local with a bare zone": "http://[fe80::1%eth0]/",
    "site-local": "http://[fec0::1]/",
    "IPv6 multicast": "http://[ff02::1]/",
    "IPv6 documentation": "http://[2001:db8::1]/",
    "IPv6 documentation 2": "http://[3fff::1]/",
    "IPv6 discard": "http://[100::1]/",
    "IPv6 segment routing": "http://[5f00::1]/",
    "IPv6 benchmarks": "http://[2001:2::1]/",
    "IPv6 former test network": "http://[3ffe::1]/",
    "IPv6 without brackets": "http://::1/",
    "IPv6 in a half bracket": "http://[::1/",
    "IPvFuture": "http://[v1.fe80::a]/",
    "user": "http://example.com@127.0.0.1/",
    "user and password": "https://user:secret@example.com/",
    "empty user": "http://@example.com/",
    "two at signs": "http://a@example.com@127.0.0.1/",
    "backslash for the host": "http://127.0.0.1\\@example.com/",
    "backslash for a slash": "http:\\\\127.0.0.1/",
    "fragment that ends the host": "http://127.0.0.1#@example.com/",
    "fragment": "https://example.com/a#b",
    "question mark that ends the host": "http://127.0.0.1?@example.com/",
    "tab in the host": "http://127.0.0.1\t.example.com/",
    "line feed": "http://example.com/\r\nHost: 127.0.0.1",
    "NUL": "http://127.0.0.1\0.example.com/",
    "leading blank": " http://example.com/",
    "blank in the host": "http://127.0.0.1 .example.com/",
    "zero-width space": "http://exa\u200bmple.com/",
    "soft hyphen": "http://local\u00adhost/",
    "no host": "http:///etc/passwd",
    "no slashes": "http:127.0.0.1",
    "one slash": "http:/127.0.0.1/",
    "relative to a scheme": "//127.0.0.1/",
    "file": "file:///etc/passwd",
    "gopher": "gopher://127.0.0.1:6379/_",
    "ftp": "ftp://example.com/",
    "websocket": "wss://example.com/",
    "data": "data:text/plain,hello",
    "another program's scheme": "jar:http://127.0.0.1!/",
    "internal name": "http://postgres/",
    "kubernetes name": "https://kubernetes.default.svc.cluster.local/",
    "name without a dot": "http://intranet:8080/",
    "empty label": "http://a..example.com/",
    "leading dot": "http://.example.com/",
    "public name with a trailing dot": "https://example.com./",
    "label over 63 characters": f"https://{'a' * 64}.com/",
    "name over 253 characters": f"https://{'a.' * 127}com/",
    "several hosts": "http://127.0.0.1,example.com/",
    "port of SSH": "http://example.com:22/",
    "port of mail": "http://example.com:25/",
    "port of PostgreSQL": "http://example.com:5432/",
    "port of Redis": "http://example.com:6379/",
    "port of AMQP": "http://example.com:5672/",
    "port of Docker": "http://example.com:2375/",
    "port of memcached": "http://example.com:11211/",
    "port 0": "http://example.com:0/",
    "port over 65535": "http://example.com:65536/",
    "port that is no number": "http://example.com:80a/",
    "port in another script": "http://example.com:\u0668\u0660/",
    "empty port": "http://example.com:/",
    "negative port": "http://example.com:-80/",
    "nothing": "",
    "over 2048 characters": f"https://example.com/{'a' * 2048}",
}


@pytest.mark.parametrize("url", REFUSED.values(), ids=REFUSED.keys())
def test_what_may_lead_to_an_internal_place_is_refused(url: str) -> None:
    with pytest.raises(UrlNotAllowedError) as refused:
        PUBLIC.check_url(url)
    assert refused.value.code == "url_not_allowed"
    assert "secret" not in refused.value.message


@pytest.mark.parametrize(
    ("url", "normal"),
    [
        ("https://example.com", "https://example.com/"),
        ("HTTPS://Example.COM:443/A?b=C", "https://example.com/A?b=C"),
        ("http://example.com:80?x", "http://example.com/?x"),
        ("https://hooks.example.com:8443/a/b%2Fc?d=e@f:g", "https://hooks.example.com:8443/a/b%2Fc?d=e@f:g"),
        ("https://xn--mnchen-3ya.example/", "https://xn--mnchen-3ya.example/"),
        ("https://8.8.8.8/", "https://8.8.8.8/"),
        ("https://[2606:4700:4700:0::1111]:8443/", "https://[2606:4700:4700::1111]:8443/"),
        ("https://my_host.example.com/", "https://my_host.example.com/"),
        ("https://127.example.com/", "https://127.example.com/"),
    ],
)
def test_a_public_url_is_returned_in_its_normal_form(url: str, normal: str) -> None:
    assert PUBLIC.check_url(url) == normal


@pytest.mark.parametrize("url", [*REFUSED.values(), "https://example.com:8443/a", "http://8.8.8.8/"])
def test_the_client_library_reads_the_same_host_and_port(url: str) -> None:
    try:
        parsed = EgressPolicy(
            EgressSettings(allowed_networks=(IPv4Network("0.0.0.0/0"), IPv6Network("::/0")))
        ).parse(url)
    except UrlNotAllowedError:
        return
    read = URL(str(parsed), encoded=True)
    assert (read.scheme, read.raw_host, read.port) == (parsed.scheme, parsed.host, parsed.port)
    assert read.raw_path_qs == parsed.path_and_query
    assert read.user is None


def test_an_operator_can_allow_networks_and_deny_public_ones() -> None:
    assert LOOPBACK.check_url("http://127.0.0.1:9000/hook") == "http://127.0.0.1:9000/hook"
    assert LOOPBACK.check_url("http://[::1]:9000/") == "http://[::1]:9000/"
    assert LOOPBACK.check_url("http://localhost:9000/") == "http://localhost:9000/"
    for url in ("http://10.0.0.1/", "http://[::ffff:127.0.0.1]/", "http://127.1/", "http://127.0.0.1:6379/"):
        with pytest.raises(UrlNotAllowedError):
            LOOPBACK.check_url(url)
    own = EgressPolicy(EgressSettings(denied_networks=(IPv4Network("8.8.8.0/24"),)))
    with pytest.raises(UrlNotAllowedError):
        own.check_url("https://8.8.8.8/")


def test_https_can_be_demanded() -> None:
    policy = EgressPolicy(EgressSettings(https_only=True))
    assert policy.check_url("https://example.com/")
    with pytest.raises(UrlNotAllowedError):
        policy.check_url("http://example.com/")


@pytest.mark.parametrize(
    "address", ["fe80::1%eth0", "127.0.0.1", "nonsense", "::ffff:10.0.0.1", "64:ff9b::1"]
)
def test_an_address_that_came_from_dns_is_judged_the_same_way(address: str) -> None:
    with pytest.raises(UrlNotAllowedError):
        PUBLIC.check_address(address, 443)
    PUBLIC.check_address("1.1.1.1", 443)
    PUBLIC.check_address(ip_address("2606:4700:4700::1111"), 443)
