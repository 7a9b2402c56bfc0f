"""How a version came about, as far as that is needed to make it again."""

from __future__ import annotations

import msgspec

from stream.errors import InputError
from stream.versions import Versions


class NotReproducibleError(InputError):
    """A version cannot be made again, and this says why."""


class Recipe(msgspec.Struct, frozen=True):
    """All that is needed to make a version again.

    Parameters
    ----------
    version, run, candidate
        What it is, and what made it.
    pipeline, seed, schema
        What was trained.
    start, shadow, promoted
        Offsets of the beginning of its range, of its adoption, and of its promotion.
    learned, learned_in_shadow
        Events that it had learned from at its adoption, and those from there to its promotion.
    shadow_time
        Event time in milliseconds of its adoption.
    fingerprint, libraries
        As they were then.
    """

    version: str
    run: int
    candidate: str
    pipeline: str
    seed: int
    schema: str | None
    start: dict[str, int]
    shadow: dict[str, int]
    promoted: dict[str, int]
    learned: int
    learned_in_shadow: int
    shadow_time: int
    fingerprint: str
    libraries: dict[str, str]


def recipe_of(versions: Versions, version: str) -> Recipe:
    """Return how a version came about.

    Raises
    ------
    UnknownVersionError
    NotReproducibleError
        It had no run, or was never promoted, or was promoted before the places were written down.
    """
    told = versions.one(version)
    changes = versions.changes(version)
    if told.trigger == "import":
        raise NotReproducibleError(
            f"{version} was imported: it was trained elsewhere; its card says on what"
        )
    adopted = next((c for c in changes if "caught_up" in c["detail"]), None)
    if adopted is None:
        raise NotReproducibleError(
            f"{version} had no training of its own: it learned from the beginning of the log on, "
            "as it came. To learn all of it again, give the stream another name and start a worker"
        )
    decided = [
        change
        for change in changes
        if change["run"] == adopted["run"] and change["detail"].get("now") == version
    ]
    if not decided:
        raise NotReproducibleError(
            f"{version} never served: {told.decision or 'its run has not ended'} There is no "
            "model of it to compare with"
        )
    trained, promoted = adopted["detail"], decided[0]["detail"]
    return Recipe(
        version=version,
        run=adopted["run"],
        candidate=promoted["candidate"],
        pipeline=promoted["pipeline"],
        seed=trained["seed"],
        schema=trained["schema"],
        start=trained["range"]["from"],
        shadow=trained["at"]["offsets"],
        promoted=promoted["at"]["offsets"],
        learned=trained["caught_up"]["learned"],
        learned_in_shadow=promoted["at"]["learned"] - trained["at"]["learned"],
        shadow_time=adopted["time"],
        fingerprint=trained["fingerprint"],
        libraries=trained["libraries"],
    )
