"""The status of a checkpoint that an older riverrun wrote, in today's form.

After an upgrade it is what there is to show until the worker has written a checkpoint of its own,
which may be as long as a replay of the log.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

_EMPTY_SCORES: dict[str, Any] = {"time": None, "scored": 0, "scores": {}}


def completed(status: Mapping[str, Any], version: str) -> dict[str, Any]:
    """Return a status with what it was written without, as nothing known.

    Parameters
    ----------
    status
        As the store holds it.
    version
        The model version of its checkpoint.

    Examples
    --------
    >>> completed({"stream": "s", "retrain": {"runs": 1}}, "v1")["since_promotion"]["version"]
    'v1'
    """
    full = {
        "since_promotion": {"version": version} | deepcopy(_EMPTY_SCORES),
        "frozen": None,
        "monitor": None,
        "retrain": None,
    } | dict(status)
    if full["monitor"] is not None:
        full["monitor"] = {"wants": []} | full["monitor"]
    return full
