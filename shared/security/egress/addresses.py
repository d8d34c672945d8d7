"""Which addresses are of the public internet.

Sources: the IANA special-purpose registries for IPv4 and IPv6 (RFC 6890 and its successors), RFC 6052 and
8215 (NAT64), RFC 3056 (6to4), RFC 4380 (Teredo), RFC 5214 (ISATAP). The tables are written out because
``ipaddress.is_global`` differs between releases of Python.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_V4_REFUSED = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # "this network"; 0.0.0.0 reaches the own machine
            "10.0.0.0/8",
            "100.64.0.0/10",  # carriers' NAT; 100.100.100.200 is a cloud's metadata
            "127.0.0.0/8",
            "168.63.129.16/32",  # a cloud's metadata at a public address
            "169.254.0.0/16",  # link-local, the usual metadata
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",  # documentation
            "192.31.196.0/24",
            "192.52.193.0/24",
            "192.88.99.0/24",  # 6to4 relays
            "192.168.0.0/16",
            "192.175.48.0/24",
            "198.18.0.0/15",  # benchmarks
            "198.51.100.0/24",  # documentation
            "203.0.113.0/24",  # documentation
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, and broadcast
        ),
    )
)

_V6_GLOBAL_UNICAST = IPv6Network("2000::/3")
"""Everything else is refused: loopback, unique local, link-local, multicast, mapped IPv4, NAT64 …"""
_V6_REFUSED = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # Teredo, benchmarks, ORCHID and other protocols
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4: an IPv4 address inside
            "2620:4f:8000::/48",
            "3ffe::/16",  # the former 6bone
            "3fff::/20",  # documentation
        ),
    )
)
_ISATAP = frozenset((0x00005EFE, 0x02005EFE))
"""The upper half of an interface identifier whose lower half is an IPv4 address."""


def is_public(address: Address) -> bool:
    """Tell whether an address is of the public internet, and hides no other address."""
    if isinstance(address, IPv4Address):
        return not within(address, _V4_REFUSED)
    if address not in _V6_GLOBAL_UNICAST or within(address, _V6_REFUSED):
        return False
    return (int(address) >> 32) & 0xFFFF_FFFF not in _ISATAP


def within(address: Address, networks: Sequence[Network]) -> bool:
    """Tell whether one of the networks holds the address."""
    return any(address.version == network.version and address in network for network in networks)
