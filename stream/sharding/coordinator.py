"""The coordinator: adds up the monitors of all shards, and decides once for the stream.

Every worker of a divided stream would do that; the one that holds a lease does. Its state is a
checkpoint of the stream itself, under the name of the one shard of an undivided stream. The epoch
of that checkpoint is what makes a decision happen once: a coordinator that was frozen, and believes
to hold the lease still, has an old one and can commit nothing. What it commits it publishes
afterwards, under a number; its successor publishes the same under the same number.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable
from typing import Any
from uuid import uuid4

import msgspec
import structlog

from stream.clock import Clock
from stream.config import Config
from stream.errors import CheckpointDamagedError, ConfigError, FencedError
from stream.process import owner
from stream.schema_file import SchemaFile
from stream.sharding.coordinator_parts import Describe, Publish
from stream.sharding.decisions import KIND, REFERENCE, Decision
from stream.sharding.idle import IdleShards
from stream.sharding.names import shard_name
from stream.sharding.shard_reading import Views, first_events, monitor_of, readable
from stream.sharding.stream_lifecycle import StreamLifecycle
from stream.sharding.stream_panes import Group, grouped_by_count, grouped_by_time, pane_key
from stream.sharding.stream_state import Progress, restore_stream, stream_snapshot
from stream.storage.history import StoredPane
from stream.storage.identity import identity_of
from stream.storage.sharding import Shard
from stream.storage.store import Claim, Store
from stream.watching.findings import Finding
from stream.watching.merged_watch import MergedWatch

_log = structlog.get_logger("riverrun.coordinator")

LEASE = "coordinator"
_PAGE = 64
"""Panes of a shard that are read at a time."""
_STATUS_SECONDS = 2.0
"""How old the stream's status may become while its shards go on."""


class Coordinator:
    """What one process of a divided stream does for all of it. Not for several threads.

    Parameters
    ----------
    config
        The stream's.
    count
        Of its shards.
    store
        Of the stream itself.
    publish
        Where decisions go.
    idle
        Finds shards that have read everything and hold the others up.
    lifecycle
        Of its models; None where nothing is retrained.
    make_watch
        Makes a watch that has seen nothing.
    describe
        Makes the stream's status of its shards.
    clock
        The machine's, but in tests.

    Attributes
    ----------
    holder
        What it holds the lease as.
    merged
        How many panes of the stream the last tick made.
    """

    def __init__(
        self,
        config: Config,
        count: int,
        store: Store,
        publish: Publish,
        idle: IdleShards,
        lifecycle: StreamLifecycle | None = None,
        *,
        make_watch: Callable[[], MergedWatch],
        describe: Describe,
        clock: Clock,
    ) -> None:
        self.holder = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
        self._config = config
        self._count = count
        self._store = store
        self._publish = publish
        self._idle = idle
        self._lifecycle = lifecycle
        self._make_watch = make_watch
        self._describe = describe
        self._clock = clock
        self._identity = identity_of(config)
        self._seconds = config.worker.session_timeout / 1000
        self._stores = {name: store.of_shard(name) for name in map(self._name, range(count))}
        self._schema_file = SchemaFile(config)
        self._claim: Claim | None = None
        self.merged = 0
        self._views = Views(self._stores)
        self._news: list[tuple[str, dict[str, Any]]] = []
        self._told: dict[str, int] = {}
        self._told_at = float("-inf")

    def tick(self) -> bool:
        """Do what is due, where the lease is this one's; return whether it is.

        Raises
        ------
        CheckpointDamagedError, StoreUnreachableError, LogError
        """
        now = self._clock.now()
        if not self._store.leases.hold(LEASE, self.holder, self._seconds, now):
            self._let_go()
            return False
        shards = [shard for shard in self._store.sharding.all() if shard.name in self._stores]
        begun = [shard for shard in shards if shard.newest is not None]
        if not begun:  # the whole must not be there before its parts: see Sharding
            return True
        try:
            claim = self._claim or self._begin(now)
            self._work(begun, claim)
        except FencedError as error:  # another one holds the lease, or is about to
            _log.warning("fenced", message=str(error))
            self._let_go()
            return False
        except BaseException:  # whether a commit took place is known by the store alone
            self._let_go()
            raise
        return True

    def leave(self) -> None:
        """Give up the lease."""
        self._store.leases.leave(self.holder)
        self._let_go()

    def _let_go(self) -> None:
        self._claim = None
        if self._lifecycle is not None:
            self._lifecycle.end()

    def _name(self, number: int) -> str:
        return shard_name(number, self._count)

    def _begin(self, now: float) -> Claim:
        """Become the one that writes, and go on from the newest checkpoint that is whole."""
        self.merged = 0
        claim = self._store.claim(owner(), now)
        self._watch, self._progress = self._make_watch(), Progress()
        self._number, self._news = claim.last_number, []
        self._told, self._told_at = {}, float("-inf")
        self._is_first = True
        kept, newest = self._store.checkpoints(), None
        for stored in kept:
            try:
                snapshot, chunks = self._store.load(stored)
            except CheckpointDamagedError as error:
                _log.error("checkpoint_damaged", checkpoint=stored.number, message=str(error))
                detail = {"checkpoint": stored.number, "message": str(error), "of": LEASE}
                self._store.record("checkpoint_damaged", detail, now)
                continue
            self._progress = restore_stream(self._watch, snapshot, chunks)
            if stored is not kept[0]:
                self._store.go_back_to(claim, stored.number)
            self._is_first, newest = False, snapshot
            break
        if kept and self._is_first:
            raise CheckpointDamagedError(
                f"none of the {len(kept)} kept checkpoints of the coordinator is whole"
            )
        if self._lifecycle is not None:
            self._lifecycle.begin(self._watch, newest, claim.epoch)
        self._claim = claim
        _log.info("coordinating", epoch=claim.epoch, merged=sum(self._progress.merged.values()))
        self._publish_all(now)
        return claim

    def _work(self, shards: list[Shard], claim: Claim) -> None:
        findings, self.merged = self._corrected(), 0
        if self._watch.is_warm:
            for group in self._due(shards):
                findings += self._merge(group)
                self.merged += 1
            self._move_on(shards)
        else:
            findings += self._warm_up(shards)
        self._tell(findings)
        if self._lifecycle is not None:
            progress = self._progress
            decision = self._lifecycle.tick(shards, findings, progress.models)
            if decision is not None:
                self._decide(decision)
                progress.models = progress.decisions
        has_news = self._news or (self._lifecycle is not None and self._lifecycle.has_news)
        numbers = {shard.name: shard.newest.number for shard in shards if shard.newest is not None}
        is_stale = self._clock.monotonic() - self._told_at >= _STATUS_SECONDS
        if has_news or self._watch.rows or (is_stale and numbers != self._told):
            self._commit(shards, claim)
            self._told, self._told_at = numbers, self._clock.monotonic()

    def _warm_up(self, shards: list[Shard]) -> list[Finding]:
        """Make the reference, where all shards together have enough events."""
        counts = [monitor_of(shard).get("warm_up") or {} for shard in shards]
        if sum(one.get("events", 0) for one in counts) < self._watch.config.warmup_events:
            return []
        kept = first_events(shards, self._stores, self._watch.config.warmup_events)
        if len(kept) < len(shards):
            return []
        found = self._watch.begin(kept)
        if found is None:
            return []
        self._progress.reference = msgspec.json.encode(found)
        return [Finding("reference", found.time)]

    def _due(self, shards: list[Shard]) -> list[Group]:
        """Read what shards have closed, and return the panes of the stream that it makes."""
        reached: dict[str, int | None] = {
            shard.name: monitor_of(shard).get("pane_key") for shard in shards
        }
        if len(reached) < self._count:
            return []
        closed = {name: self._closed(name) for name in reached}
        seconds = self._watch.config.panes.seconds
        if seconds is None:
            return grouped_by_count(closed)
        if self._progress.seconds != seconds:
            self._progress.key, self._progress.seconds = None, seconds
        for name, panes in closed.items():
            open_key = reached[name]
            if len(panes) == _PAGE and open_key is not None:  # there are more
                reached[name] = min(open_key, pane_key(panes[-1].row.last, seconds) + 1)
        return grouped_by_time(closed, reached, seconds, self._progress.key)

    def _closed(self, name: str) -> list[StoredPane]:
        return self._stores[name].history.after(self._progress.merged.get(name, -1), _PAGE)

    def _merge(self, group: Group) -> list[Finding]:
        """Add one pane of the stream; what cannot be read is counted and left out."""
        parts, news = readable(group, self._progress, self._watch)
        self._news += news
        return self._watch.take(parts, group.late, self._progress.offsets) if parts else []

    def _move_on(self, shards: list[Shard]) -> None:
        """Tell shards without events that panes are over which the others have closed."""
        if self._watch.config.panes.seconds is None:
            return
        below = self._idle.below(shards, self._count)
        before = self._progress.closed_below
        if below is not None and (before is None or below > before):
            self._progress.closed_below = below
            self._decide(Decision("close", below))

    def _decide(self, decision: Decision) -> None:
        self._progress.decisions += 1
        self._progress.fresh = [*self._progress.fresh, (self._progress.decisions, decision)]
        self._news.append(("decision", decision.told()))

    def _corrected(self) -> list[Finding]:
        """Go on with a schema that a person has changed meanwhile."""
        try:
            schema = self._schema_file.changed()
        except ConfigError:  # each shard says so
            return []
        if schema is None or schema == self._watch.monitor.schema:
            return []
        return self._watch.correct(schema, round(self._last_time() * 1000))

    def _last_time(self) -> float:
        return self._watch.last.last if self._watch.last is not None else 0.0

    def _tell(self, findings: Iterable[Finding]) -> None:
        for finding in findings:
            if finding.is_told:
                tell = _log.warning if finding.is_trouble else _log.info
                tell(finding.kind, **finding.line())
            if finding.is_news:
                self._news.append((finding.kind, finding.detail()))
        if self._watch.is_halted != self._progress.is_halted:
            self._progress.is_halted = self._watch.is_halted
            self._decide(Decision("halt" if self._watch.is_halted else "resume"))

    def _commit(self, shards: list[Shard], claim: Claim) -> None:
        """Write everything down in one transaction, and publish what was decided."""
        now, progress = self._clock.now(), self._progress
        summaries = [found for shard in shards if (found := monitor_of(shard))]
        snapshot, monitor = stream_snapshot(
            self._watch, progress, _offsets(shards), summaries, self._views.read(shards)
        )
        status = self._describe(shards, now) | {
            "model_version": self._watch.version,
            "monitor": monitor,
            "retrain": None,
            "coordinator": {"owner": owner(), "epoch": claim.epoch, "checkpoint": self._number + 1},
        }
        answers: dict[int, str] = {}
        if self._lifecycle is not None:
            snapshot, answers = self._lifecycle.added(snapshot), self._lifecycle.answers
            status["retrain"] = self._lifecycle.summary()
        self._store.commit(
            claim,
            self._number + 1,
            snapshot,
            status=status,
            identity=self._identity,
            reason=snapshot.why("the first of this stream"),
            now=now,
            keep=self._config.checkpoint.keep,
            replace=self._is_first,
            panes_kept=self._config.monitor.panes_kept,
            happened=self._news,
            answers=answers,
        )
        self._number += 1
        self._is_first, self._news = False, []
        self._watch.mark_committed()
        if self._lifecycle is not None:
            self._lifecycle.mark_committed()
        self._publish_all(now)

    def _publish_all(self, now: float) -> None:
        """Publish what was committed; a successor does so once more, which changes nothing."""
        progress = self._progress
        if progress.reference is not None:
            self._publish(REFERENCE, 1, progress.reference, {}, now)
        for number, decision in progress.fresh:
            self._publish(KIND, number, decision.to_bytes(), decision.told(), now)
        progress.fresh = []


def _offsets(shards: list[Shard]) -> dict[str, int]:
    return {
        place: offset
        for shard in shards
        if shard.newest is not None
        for place, offset in shard.newest.offsets.items()
    }
