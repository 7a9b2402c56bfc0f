"""Addresses that nothing is ever sent to, whoever named them: a cloud's own, and no one's."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

_EMBEDS_IPV4 = ip_network("64:ff9b::/96")
_METADATA = frozenset(map(ip_address, ("100.100.100.200", "192.0.0.192", "fd00:ec2::254")))


def why_forbidden(address: str) -> str | None:
    """Return why nothing may be sent to an IP address, or None where it may.

    Link-local addresses are where a cloud answers whoever asks with the machine's credentials.
    Private addresses and this machine's are allowed: an Alertmanager is mostly there.

    Parameters
    ----------
    address
        As text. What is no IP address, such as a name, is not forbidden by itself: each address
        that it leads to is.

    Examples
    --------
    >>> why_forbidden("169.254.169.254")
    'it is link-local, where a cloud hands out credentials of the machine'
    >>> why_forbidden("10.0.0.7"), why_forbidden("alertmanager")
    (None, None)
    """
    try:
        found = ip_address(address.strip("[]").partition("%")[0])
    except ValueError:
        return None
    found = _without_wrapping(found)
    if found.is_link_local:
        return "it is link-local, where a cloud hands out credentials of the machine"
    if found in _METADATA:
        return "a cloud hands out credentials of the machine there"
    if found.is_multicast or found.is_unspecified or str(found) == "255.255.255.255":
        return "it is no single machine's"
    return None


def _without_wrapping(found: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return the IPv4 address that an IPv6 address only carries."""
    if isinstance(found, IPv4Address):
        return found
    if found in _EMBEDS_IPV4:
        return IPv4Address(int(found) & 0xFFFFFFFF)
    return found.ipv4_mapped or found.sixtofour or found
