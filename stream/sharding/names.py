"""What shards are called."""

from __future__ import annotations


def shard_name(number: int, count: int) -> str:
    """Return the name of a shard in the store.

    The number of partitions is part of it: with another one, keys are on other partitions, and no
    state would fit what comes.

    Parameters
    ----------
    number
        Of the partition.
    count
        Of partitions of each topic.

    Examples
    --------
    >>> shard_name(2, 4)
    '2-of-4'
    """
    return f"{number}-of-{count}"


def shard_names(count: int) -> list[str]:
    """Return the names of all shards."""
    return [shard_name(number, count) for number in range(count)]


def shard_number(name: str) -> int:
    """Return the number of the partition that a shard reads.

    Examples
    --------
    >>> shard_number("2-of-4")
    2
    """
    return int(name.partition("-of-")[0])
