"""The line: records in, a step out. The pure core of the worker.

Segment by segment, up to where a pane of the monitor ends: decode and judge all events, then one
record after another: predict, let the prediction wait, and when its label comes score it and learn.
No clock, no randomness, no I/O: the same records from the same state give the same
state, however they are cut into batches. What must happen outside comes back as a ``Step``.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any, cast

from monitor.schema import Schema
from stream.adopted import Adopted
from stream.baselines import Baselines
from stream.config import Config
from stream.counts import Counts
from stream.dead_letter_limit import over_the_limit
from stream.events import Decoded, Decoder, Event, Features, LabelMessage, Rejected, Served
from stream.frozen import Frozen, freeze_first
from stream.keys.on_line import count_answers, make_learner, prepare
from stream.labels import Label, LabelReader
from stream.learner import MAX_CLASSES, Prediction, model_error
from stream.lifecycle.lifecycle import Lifecycle
from stream.lifecycle.live import close_segment
from stream.lifecycle.shadow import CHAMPION
from stream.opinions import Opinions
from stream.records import Offsets, Record, TopicPartition
from stream.scores import Scores
from stream.settled import Settled
from stream.step import DeadLetter, PredictionRow, Step, features_hashes
from stream.waiting import EarlyLabel, Pending, Said, Waiting
from stream.watching.labelled import Labelled
from stream.watching.settings import make_watch
from stream.watching.watch import Noted, Watch

PROBES = 16
"""Events whose features are kept, to compare models by what they predict."""

_MAX_EARLY = 100_000
_NOWHERE, _NOTHING = TopicPartition("", -1), Served(None, "", 0)
_NEVER = 1 << 62  # the event time of a label that came before any event


class Line:
    """The state of one shard, and the one function that changes it.

    Parameters
    ----------
    config
        The stream's configuration.
    model
        A River model that has learned nothing, or what a checkpoint held.
    metrics
        River metrics by name, not yet updated.
    version
        Name of the model version, such as ``v1``.
    schema
        What events must be; without one it is inferred from the first of them.
    pipelines
        By name, what a retraining trains; the first is the model's own. Without any, nothing is
        retrained.

    Attributes
    ----------
    watch
        The monitor; None where it is switched off.
    lifecycle
        Challengers and decisions; None where nothing is retrained.
    promotions
        How often another model took the champion's place.
    frozen
        The serving model as it was when it was promoted; None where it is not wanted.
    adopted
        What was taken in from outside of the shard.
    """

    def __init__(
        self,
        config: Config,
        model: Any,
        metrics: dict[str, Any],
        version: str = "v1",
        schema: Schema | None = None,
        pipelines: Mapping[str, str] | None = None,
    ) -> None:
        self.config = config
        self.version = version
        self.learner = make_learner(model, config)
        self.scores = Scores(metrics, config.model.task, config.model.window)
        self.baselines = Baselines(config.model.task)
        self.counts = Counts()
        self.reasons: Counter[str] = Counter()
        self.offsets: Offsets = {}
        self.watermark: int | None = None
        self.probes: list[dict[str, Any]] = []
        self.recent: deque[bool] = deque(maxlen=config.dead_letters.window)
        self.pending: Waiting[Pending] = Waiting(config.labels.max_pending, config.labels.max_delay)
        self.early: Waiting[EarlyLabel] = Waiting(_MAX_EARLY, config.labels.max_delay)
        self.settled: Settled[Label | None] = Settled(config.event.dedup_window)
        self.opinions = Opinions(config)
        self.adopted = Adopted()
        self._met: list[Labelled] = []
        self.arrivals = 0
        self._decoder = Decoder(config.event, LabelReader(config.model.task, config.model.classes))
        self._labels_topic = config.labels_topic
        self.promotions = 0
        self.frozen: Frozen | None = None
        self._paused = False
        self._shadowed: Lifecycle | None = None
        self.pipelines = dict(pipelines or {})
        self.watch: Watch | None = make_watch(config, version, self._decoder.features_of, schema)
        self.lifecycle: Lifecycle | None = None
        if self.watch is not None and config.retrain.enabled and self.pipelines:
            champion = next(iter(self.pipelines.values()))
            self.lifecycle = Lifecycle(config.retrain, config.model.task, version, champion)

    @property
    def learned_offset(self) -> int:
        """How far the log has been read: the sum of the next offsets of all partitions."""
        return sum(self.offsets.values())

    def features_of(self, value: bytes) -> Features:
        """Decode the features of an event that was decoded before."""
        return self._decoder.features_of(value)

    def handle(self, records: Sequence[Record], now: int) -> Step:
        """Take records in, in order, and return what has to leave.

        Parameters
        ----------
        records
            The next records of the source.
        now
            The time of day in milliseconds, for latencies only.

        Returns
        -------
        Step
            Predictions and dead letters to publish. Where too many records are dead letters,
            ``step.halt`` says so, and the records from there on were not touched.
        """
        step = Step()
        decoded = [self._decode(record) for record in records]
        prepare(self.learner, decoded, self.pending, self.features_of)
        start = 0
        while start < len(records) and step.halt is None:
            stop = self.watch.segment(decoded, start) if self.watch else len(records)
            self._segment(records[start:stop], decoded[start:stop], now, step)
            start = stop
        count_answers(self.learner, step.predictions)
        return step

    def _decode(self, record: Record) -> Decoded:
        is_label = record.topic == self._labels_topic
        return self._decoder.label(record) if is_label else self._decoder.event(record)

    def _segment(
        self, records: Sequence[Record], decoded: Sequence[Decoded], now: int, step: Step
    ) -> None:
        # Both can only change where a pane closes, which is where a segment ends.
        self._paused = self.watch is not None and self.watch.is_halted
        lifecycle = self.lifecycle
        self._shadowed = lifecycle if lifecycle is not None and lifecycle.shadows else None
        events = [found for found in decoded if isinstance(found, Event)]
        verdicts = self.watch.judge(events) if self.watch else [None] * len(events)
        digests = features_hashes([event.features for event in events])
        judged = zip(count(), verdicts, digests, strict=False)
        learned_offset, place = self.learned_offset, _NOWHERE
        for record, found in zip(records, decoded, strict=True):
            if record.topic == self._labels_topic:
                rejected = self._label(found, record.timestamp)
            else:
                rejected = self._event(record, found, judged, learned_offset, now, step)
            self.recent.append(rejected is not None)
            if record.partition != place.partition or record.topic != place.topic:
                place = TopicPartition(record.topic, record.partition)
            following = record.offset + 1
            learned_offset += following - self.offsets.get(place, 0)
            self.offsets[place] = following
            if rejected is not None:
                self._reject(record, rejected, step)
                limit = self.config.dead_letters
                step.halt = over_the_limit(limit, self.recent, self.reasons, rejected)
                if step.halt is not None:
                    break
        met, self._met = self._met, []
        self.scores.update_all(met)
        if self.watch is not None:
            findings = self.watch.close(self.offsets, met)
            step.findings += [(record, finding) for finding in findings]
            close_segment(self, findings)
            freeze_first(self, findings)

    def _event(
        self,
        record: Record,
        event: Decoded,
        judged: Iterator[tuple[int, Rejected | None, str]],
        learned_offset: int,
        now: int,
        step: Step,
    ) -> Rejected | None:
        counts = self.counts
        counts.events += 1
        if not isinstance(event, Event):
            return cast("Rejected", event)
        row, rejected, digest = next(judged)
        key = event.id
        if key in self.settled or key in self.pending:
            counts.repeated += 1
            return None
        served, others = _NOTHING, None
        if rejected is None:
            served, others, rejected = self._predict(event, learned_offset)
        if self.watch is not None:
            value = record.value or b""
            self.watch.noted.append(Noted(row, event, value, served.prediction, counts.learned))
        if rejected is not None:
            return rejected
        is_from_api = event.served is not None
        counts.predicted += 1
        counts.served += is_from_api
        source, latency = "api" if is_from_api else "worker", max(0, now - record.timestamp)
        row_said = PredictionRow(record, key, event.time, served, source, digest, latency)
        step.predictions.append(row_said)
        said = Said(served.prediction, self.baselines.predict(), others)
        rejected = self._wait_or_settle(record, event, said)
        if self.watermark is None or event.time > self.watermark:
            self._advance(event.time)
        return rejected

    def _predict(
        self, event: Event, learned_offset: int
    ) -> tuple[Served, dict[str, Prediction] | None, Rejected | None]:
        """Return what is served, which may be what the API said; what others say; or why not."""
        features, served, learner = event.features, event.served, self.learner
        if len(self.probes) < PROBES:
            self.probes.append(dict(features))
        others = None if self._shadowed is None else self._shadowed.predict(features)
        if served is None or others is not None:
            try:
                prediction = learner.predict(features)
            except Exception as error:  # noqa: BLE001 (a model's error ends the event, not us)
                return _NOTHING, None, model_error("predict", error)
            if others is not None:
                others[CHAMPION] = prediction
            served = served or Served(prediction, self.version, learned_offset, learner.answered_by)
        if self.frozen is not None:
            others = self.frozen.predict(event.id, features, others)
        return served, others, None

    def _wait_or_settle(self, record: Record, event: Event, said: Said) -> Rejected | None:
        label, rejected = event.label, None
        if self.learner.learns_without_label:
            rejected = self._learn(event.features, None)
        if len(self.early) and (early := self.early.pop(event.id)) is not None:
            if label is None:
                label = early.label
                self.counts.early += 1
            else:
                self.opinions.early(self.counts, label, event.id, early.label)
        if label is not None:
            return self._settle(event.id, label, said, event.features, event.time, True) or rejected
        self.arrivals += 1
        place = event.id, self.arrivals, event.time, 0
        waits = Pending(*place, record.value or b"", said.prediction, said.baselines, said.others)
        self.pending.add(waits)
        if (evicted := self.pending.evict()) is not None:
            self.counts.evicted += 1
            self.settled.add(evicted.id, None)
        return rejected

    def _label(self, message: Decoded, at: int) -> Rejected | None:
        self.counts.label_messages += 1
        if not isinstance(message, LabelMessage):
            return cast("Rejected", message)
        key, label = message.id, message.label
        if (pending := self.pending.pop(key)) is not None:
            self.opinions.first(message, at)
            features = self._decoder.features_of(pending.value)
            said = Said(pending.prediction, pending.baselines, pending.shadows)
            is_of_now = pending.seq > self.scores.promoted_after
            return self._settle(key, label, said, features, pending.time, is_of_now)
        if key in self.settled:
            self.opinions.again(self.counts, self.settled.label(key), message, at)
        elif (early := self.early.get(key)) is not None:
            self.opinions.again(self.counts, early.label, message, at)
        else:
            self.opinions.first(message, at)
            self._keep_early(key, label)
        return None

    def _settle(
        self, key: str, label: Label, said: Said, features: Features, time: int, is_of_now: bool
    ) -> Rejected | None:
        """Score a prediction, of before the last promotion or since, and learn from the event."""
        self.counts.matched += 1
        self.settled.add(key, label)
        if self.learner.is_one_class_too_many(label):
            why = f"{label!r} is class number {MAX_CLASSES + 1}"
            return Rejected("check", "too_many_classes", why)
        frozen = self.frozen.said(said.others) if self.frozen and is_of_now else None
        age = max(0, (self.watermark or time) - time)
        answers = said.prediction, said.baselines
        self._met.append(Labelled(features, label, *answers, time, age, frozen, is_of_now))
        self.baselines.learn(label)
        if self._shadowed is not None:
            self._shadowed.labelled(label, said.others, features)
        return None if self.learner.learns_without_label else self._learn(features, label)

    def _learn(self, features: Features, label: Label | None) -> Rejected | None:
        if self._paused:
            self.counts.unlearned += 1
            return None
        try:
            self.learner.learn(features, label)
        except Exception as error:  # noqa: BLE001 (as for predict: reported, never fatal)
            return model_error("learn", error)
        self.counts.learned += 1
        if self._shadowed is not None:
            self._shadowed.learn(features, label)
        return None

    def _advance(self, time: int) -> None:
        """Move event time on, and let go of what it leaves behind."""
        self.watermark = time
        for expired in self.pending.expire(time):
            self.counts.expired += 1
            self.settled.add(expired.id, None)
        self.counts.orphaned += len(self.early.expire(time))

    def _keep_early(self, key: str, label: Label) -> None:
        self.arrivals += 1
        time = _NEVER if self.watermark is None else self.watermark
        self.early.add(EarlyLabel(key, self.arrivals, time, 0, label))
        if self.early.evict() is not None:
            self.counts.orphaned += 1

    def _reject(self, record: Record, rejected: Rejected, step: Step) -> None:
        self.counts.dead_lettered += 1
        self.reasons[f"{rejected.stage}/{rejected.kind}"] += 1
        step.dead_letters.append(DeadLetter(record, rejected))
