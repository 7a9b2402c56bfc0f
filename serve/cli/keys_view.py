"""Models per key, in a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def keys_line(status: Mapping[str, Any]) -> str:
    """Return what a status says of models per key; empty where there are none.

    Examples
    --------
    >>> keys_line({})
    ''
    >>> told = {"per": "who", "keys": 1200, "in_memory": 1000, "spilled": 200, "loads": 7}
    >>> answers = {"parent": 1, "key": 3}
    >>> keys_line({"keys": told | {"answers": answers, "unkeyed": 0, "forgotten": 2}})
    'keys by who: 1,200, 1,000 in memory, 200 in the store alone, 7 loaded; the parent answered 25.0%; 2 keys forgotten'
    """  # noqa: E501 - one line is what it returns
    keys = status.get("keys")
    if keys is None:
        return ""
    answers = keys["answers"]
    share = answers["parent"] / max(1, sum(answers.values()))
    text = (
        f"keys by {keys['per']}: {keys['keys']:,}, {keys['in_memory']:,} in memory, "
        f"{keys['spilled']:,} in the store alone, {keys['loads']:,} loaded; the parent answered "
        f"{share:.1%}"
    )
    told = {"without a key": keys["unkeyed"], "keys forgotten": keys["forgotten"]}
    return text + "".join(f"; {count:,} {what}" for what, count in told.items() if count)
