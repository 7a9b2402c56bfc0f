"""The lifecycle of a divided stream: one run, one training, one decision on the evidence of all.

The coordinator has a line that reads no records. It stands for the stream: its watch is the merged
one, its counts are sums, and its lifecycle is stepped by the same code as that of an undivided
stream. What changes there becomes a decision that every shard follows.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from stream.checkpoint import GATES_PART, LIFECYCLE_PART, Snapshot
from stream.clock import Clock
from stream.config import Config
from stream.lifecycle.following import Evidence, Models, ShadowOf, read_gates
from stream.lifecycle.lifecycle import Lifecycle
from stream.lifecycle.live import close_segment
from stream.lifecycle.shadow import Shadow
from stream.lifecycle.summary import lifecycle_summary
from stream.line import Line
from stream.log import Log
from stream.people import People
from stream.records import TopicPartition
from stream.sharding.decisions import Decision
from stream.storage.sharding import Shard
from stream.storage.store import Store
from stream.training.supervisor import Launch, Supervisor
from stream.watching.findings import Finding
from stream.watching.merged_watch import MergedWatch


class StreamLifecycle:
    """What is retrained, promoted and rolled back, for all shards at once.

    Parameters
    ----------
    config
        The stream's.
    make_line
        Makes a line that has learned nothing, of a version.
    log, store
        Of the stream, for trainings and what people ask.
    stores
        Of the shards, by name.
    clock
        The machine's, but in tests.
    launch
        Starts a training in another process.
    """

    def __init__(
        self,
        config: Config,
        make_line: Callable[[str], Line],
        log: Callable[[], Log],
        store: Store,
        stores: Mapping[str, Store],
        clock: Clock,
        launch: Launch,
    ) -> None:
        self._config = config
        self._make_line = make_line
        self._log = log
        self._store = store
        self._stores = stores
        self._clock = clock
        self._launch = launch
        self._supervisor: Supervisor | None = None
        self._people = People(store, config, clock, is_of_all=True)

    def begin(self, watch: MergedWatch, snapshot: Snapshot | None, epoch: int) -> None:
        """Stand for the stream from now on, as a checkpoint has it.

        Parameters
        ----------
        watch
            The merged one.
        snapshot
            Of the coordinator; None for a stream that begins. A part is unpickled here.
        epoch
            The coordinator's.
        """
        self.end()
        self.line = line = self._make_line("v1" if snapshot is None else snapshot.version)
        line.watch = watch
        watch.version = line.version
        part = None if snapshot is None else snapshot.parts.get(LIFECYCLE_PART)
        if part is not None:
            line.lifecycle = pickle.loads(part)  # noqa: S301 (the store verified it)
            line.lifecycle.config = self._config.retrain
        self._people = People(self._store, self._config, self._clock, is_of_all=True)
        of = (self._config, self._log(), self._store, self._clock, self._launch, epoch)
        self._supervisor = Supervisor(*of)
        self._supervisor.after_commit(line)

    def end(self) -> None:
        """Stop what is trained here; a successor begins it anew."""
        if self._supervisor is not None:
            self._supervisor.stop()
            self._supervisor = None

    def tick(
        self, shards: Sequence[Shard], findings: Sequence[Finding], decision: int
    ) -> Decision | None:
        """Do what is due; return what every shard has to follow, where that has changed.

        Parameters
        ----------
        shards
            As the store has them.
        findings
            What the merged watch has found since the last tick.
        decision
            Number of the last decision on models, which the evidence has to belong to.
        """
        line, lifecycle = self.line, self.line.lifecycle
        if lifecycle is None or self._supervisor is None:
            return None
        self._add_up(shards)
        before, shadows = _shape(line), {shadow.version: shadow for shadow in lifecycle.shadows}
        if lifecycle.shadows and any(found.kind == "pane" for found in findings):
            self._weigh(lifecycle, shards, decision)
        close_segment(line, findings)
        self._people.tick(line)
        self._supervisor.tick(line)
        lifecycle.reference = None  # panes of another layout would not add up while shards follow
        known = shadows.get(line.version)
        was_trained = known is not None and known.role == "challenger"
        lifecycle.kept = [
            one
            for one in lifecycle.kept
            if one.moment == "imported"
            or (one.moment == "promoted" and was_trained and one.version == line.version)
        ]
        return None if _shape(line) == before else self._decision(before, shadows)

    @property
    def has_news(self) -> bool:
        """Whether there is something to commit."""
        lifecycle = self.line.lifecycle
        return bool(self._people.answers or (lifecycle is not None and lifecycle.changes))

    @property
    def answers(self) -> dict[int, str]:
        """What became of requests, since the last commit."""
        return self._people.answers

    def added(self, snapshot: Snapshot) -> Snapshot:
        """Return a snapshot of the coordinator with the lifecycle in it."""
        lifecycle = self.line.lifecycle
        if lifecycle is None:
            return snapshot
        return msgspec.structs.replace(
            snapshot,
            version=self.line.version,
            parts=snapshot.parts | {LIFECYCLE_PART: pickle.dumps(lifecycle, 5)},
            run_changes=tuple(lifecycle.changes),
            models=tuple(lifecycle.kept),
        )

    def summary(self) -> dict[str, Any] | None:
        """Return what the status shows of it."""
        return None if self.line.lifecycle is None else lifecycle_summary(self.line.lifecycle)

    def mark_committed(self) -> None:
        """Take note that everything was written."""
        self._people.answers = {}
        if self._supervisor is not None:
            self._supervisor.after_commit(self.line)
        if self.line.lifecycle is not None:
            self.line.lifecycle.mark_committed()

    def _add_up(self, shards: Sequence[Shard]) -> None:
        """Let the line stand where all shards together have committed."""
        line, counts = self.line, self.line.counts
        statuses = [shard.newest.status for shard in shards if shard.newest is not None]
        line.offsets = {
            TopicPartition.parse(place): offset
            for shard in shards
            if shard.newest is not None
            for place, offset in shard.newest.offsets.items()
        }
        counts.matched = sum(status["labels"]["matched"] for status in statuses)
        counts.events = sum(status["counts"]["events"] for status in statuses)
        counts.learned = sum(status["counts"]["learned"] for status in statuses)
        marks = [status["watermark"] for status in statuses if status["watermark"] is not None]
        line.watermark = max(marks, default=None)

    def _weigh(self, lifecycle: Lifecycle, shards: Sequence[Shard], decision: int) -> None:
        """Give the shadows the evidence of all shards that have followed the last decision."""
        found: list[Evidence] = []
        for shard in shards:
            if shard.newest is None:
                continue
            part = self._stores[shard.name].load_part(shard.newest, GATES_PART)
            if part is None:  # replaced since its row was read: the next pane will have it
                continue
            evidence = read_gates(part)
            if evidence.decision == decision:
                found.append(evidence)
        for shadow in lifecycle.shadows:
            _give(shadow, found, lifecycle)

    def _decision(self, before: tuple[object, ...], shadows: Mapping[str, Shadow]) -> Decision:
        line, lifecycle = self.line, self.line.lifecycle
        shown: tuple[ShadowOf, ...] = ()
        is_probation = False
        if lifecycle is not None:
            is_probation = lifecycle.run is not None and lifecycle.run.phase == "probation"
            shown = tuple(
                ShadowOf(
                    one.name,
                    one.role,
                    one.version,
                    one.description,
                    pickle.dumps(one.learner, 5) if one.version not in shadows else None,
                )
                for one in lifecycle.shadows
                if one.role == "challenger" or is_probation
            )
        count = max(1, len(self._stores))
        return Decision(
            "models",
            models=Models(
                serving=line.version,
                pipeline="" if lifecycle is None else lifecycle.pipeline,
                shadows=shown,
                offsets={str(place): offset for place, offset in line.offsets.items()},
                probation=self._config.retrain.probation // count if is_probation else 0,
                model=None if line.version == before[0] else pickle.dumps(line.learner, 5),
            ),
        )


def _give(shadow: Shadow, found: Sequence[Evidence], lifecycle: Lifecycle) -> None:
    gate = lifecycle.new_gate(shadow.gate.scale)
    for evidence in found:
        if shadow.key in evidence.gates:
            one, failed = evidence.gates[shadow.key]
            gate += one
            shadow.failed = shadow.failed or failed
    shadow.gate = gate


def _shape(line: Line) -> tuple[object, ...]:
    """Return what shards have to know of a lifecycle, for comparison."""
    lifecycle = line.lifecycle
    shadows = [] if lifecycle is None else lifecycle.shadows
    return (line.version, tuple((one.key, one.role, one.version) for one in shadows))
