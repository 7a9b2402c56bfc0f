"""A shard's part in the lifecycle of its stream: it shadows what it is told, and gathers evidence.

Which model serves and which are in the shadow is decided for all shards; each has copies of its
own, which learn from its events. What the evidence of all shards says is found out elsewhere.
"""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import msgspec

from stream.frozen import freeze
from stream.learner import Learner
from stream.lifecycle.gate import LATE, Gate
from stream.lifecycle.lifecycle import Lifecycle
from stream.lifecycle.scale import loss_scale
from stream.lifecycle.shadow import Role, Shadow
from stream.records import Offsets

if TYPE_CHECKING:
    from stream.line import Line


class ShadowOf(msgspec.Struct, frozen=True):
    """A model that is to be in the shadow.

    Parameters
    ----------
    name, role, version, pipeline
        As in ``Shadow``.
    model
        Its learner as bytes, where a shard may not have it yet.
    """

    name: str
    role: Role
    version: str
    pipeline: str
    model: bytes | None = None


class Models(msgspec.Struct, frozen=True):
    """Which model serves all shards, and which are in their shadows.

    Parameters
    ----------
    serving, pipeline
        The version that serves, and its pipeline.
    shadows
        The others.
    offsets
        By partition, how far the newest of them have read the log: what a shard has not passed it
        cannot judge them by.
    probation
        Labels of each shard's part of a probation; 0 outside of one.
    model
        The serving one as bytes, where it is another than before; a shard that has it in its shadow
        takes its own, which has learned on.
    """

    serving: str
    pipeline: str
    shadows: tuple[ShadowOf, ...] = ()
    offsets: dict[str, int] = {}
    probation: int = 0
    model: bytes | None = None


class Evidence(msgspec.Struct, frozen=True):
    """What one shard has found out.

    Parameters
    ----------
    decision
        That it follows.
    gates
        By key of the shadow, its evidence, and why it dropped out where it did.
    """

    decision: int
    gates: dict[str, tuple[Gate, str | None]]


def follow(line: Line, models: Models, number: int) -> None:
    """Let a shard have the models that were decided on; all evidence begins anew.

    Parameters
    ----------
    line
        The shard's.
    models
        Which.
    number
        Of the decision.
    """
    lifecycle = line.lifecycle
    if lifecycle is None:
        return
    lifecycle.weigh()  # what was said by models that leave is not asked for again
    known = {shadow.version: shadow for shadow in lifecycle.shadows}
    by_key = {shadow.key: shadow for shadow in lifecycle.shadows}
    former, was = line.learner, line.version
    if models.serving != line.version:
        own = known.get(models.serving)
        learner = own.learner if own is not None and own.failed is None else None
        if learner is None and models.model is not None:
            learner = _load(models.model)
        if learner is not None:
            _serve(line, models.serving, learner)
    task, margin = line.config.model.task, lifecycle.config.margin
    scale, late = loss_scale(task, line.scores.recent()), models.probation // (LATE + 1)
    shadows = []
    for one in models.shadows:
        kept = by_key.get(f"{one.version}/{one.name}")
        learner = former if one.version == was != models.serving else None
        learner = learner or (None if kept is None else kept.learner)
        learner = learner or (None if one.model is None else _load(one.model))
        if learner is None:
            continue
        gate = Gate(scale, margin, late_every=max(1, late) if models.probation else 0)
        shadow = Shadow(one.name, one.role, one.version, learner, gate, one.pipeline)
        shadow.failed = None if kept is None else kept.failed
        shadows.append(shadow)
    lifecycle.shadows = shadows
    lifecycle.version, lifecycle.pipeline = line.version, models.pipeline
    # Of a model that has read events which this shard is still to see, it would say too much good.
    is_behind = any(line.offsets.get(place, 0) < at for place, at in _mine(line, models).items())
    lifecycle.followed = 0 if is_behind else number


def write_gates(lifecycle: Lifecycle) -> bytes:
    """Return the evidence of a shard as bytes."""
    gates = {shadow.key: (shadow.gate, shadow.failed) for shadow in lifecycle.shadows}
    return msgspec.msgpack.encode(Evidence(lifecycle.followed, gates))


def read_gates(data: bytes) -> Evidence:
    """Return what ``write_gates`` wrote."""
    return msgspec.msgpack.decode(data, type=Evidence)


def _serve(line: Line, version: str, learner: Learner) -> None:
    line.learner, line.version = learner, version
    line.scores.promoted(line.watermark or 0, line.arrivals)
    freeze(line)
    line.promotions += 1
    watch = line.watch
    if watch is not None:
        watch.version = version
        if (reference := watch.monitor.reference) is not None:
            watch.promote(reference)


def _load(model: bytes) -> Learner:
    learner: Learner = pickle.loads(model)  # noqa: S301 (the store verified it)
    return learner


def _mine(line: Line, models: Models) -> Offsets:
    return {place: models.offsets.get(str(place), 0) for place in line.offsets}
