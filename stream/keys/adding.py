"""What the shards of a stream say of their keys, added up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

_TOLD = ("per", "settings")


def add_keys(told: Iterable[Mapping[str, Any] | None]) -> dict[str, Any] | None:
    """Return the sum of what statuses say under ``keys``; None where none says anything.

    A key that several shards have a model of counts in each of them.

    Examples
    --------
    >>> one = {"per": "who", "settings": {}, "keys": 3, "answers": {"key": 5, "parent": 1}}
    >>> add_keys([one, None, one])["keys"], add_keys([one, one])["answers"], add_keys([None])
    (6, {'key': 10, 'parent': 2}, None)
    """
    found = [one for one in told if one is not None]
    if not found:
        return None
    counts: Counter[str] = Counter()
    answers: Counter[str] = Counter()
    for one in found:
        counts.update({name: n for name, n in one.items() if isinstance(n, int)})
        answers.update(one["answers"])
    return {name: found[0][name] for name in _TOLD} | dict(counts) | {"answers": dict(answers)}
