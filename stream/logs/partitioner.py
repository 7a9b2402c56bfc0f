"""Kafka's own partitioner: which partition a key belongs to, for every log and the API alike."""

from __future__ import annotations

_MASK = 0xFFFFFFFF
_M = 0x5BD1E995
_SEED = 0x9747B28C


def murmur2(data: bytes) -> int:
    """Return the 32 bits that Kafka's clients hash a key to.

    The Java client, kafka-python, and librdkafka with ``murmur2_random`` do the same.

    Parameters
    ----------
    data
        The key.

    Examples
    --------
    >>> hex(murmur2(b"21")), hex(murmur2(b"foobar"))
    ('0xc5f2f8ec', '0xd0e47bbe')
    """
    h = _SEED ^ len(data)
    whole = len(data) & ~3
    for at in range(0, whole, 4):
        k = int.from_bytes(data[at : at + 4], "little") * _M & _MASK
        k = (k ^ k >> 24) * _M & _MASK
        h = h * _M & _MASK ^ k
    if rest := data[whole:]:
        h = (h ^ int.from_bytes(rest, "little")) * _M & _MASK
    h = (h ^ h >> 13) * _M & _MASK
    return h ^ h >> 15


def partition_of_key(key: bytes, count: int) -> int:
    """Return the partition that a key belongs to, of a topic that has so many."""
    return (murmur2(key) & 0x7FFFFFFF) % count
