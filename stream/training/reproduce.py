"""A version made once more from the log, to be held against the one that was promoted.

In two steps, as it came about. First the training: the recorded range, up to where the challenger
went into the shadow. Then the shadow: there it learned what the live line learned, whose waiting
predictions reach back beyond the range, so a line without a model first reads far enough from
before it to know them. What differs afterwards is told, not smoothed over.
"""

from __future__ import annotations

import pickle
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from monitor.schema_text import schema_from_toml
from stream.config import Config
from stream.events import Features
from stream.labels import Label
from stream.learner import Learner, Prediction
from stream.line import Line
from stream.log import Log, Source
from stream.records import Offsets, TopicPartition
from stream.storage.identity import fingerprint, libraries
from stream.storage.store import Store
from stream.training.bounded import BoundedReader, is_reached
from stream.training.recipe import NotReproducibleError, Recipe
from stream.training.span import newest_first, start_of_range
from stream.training.training_line import training_line

_BATCH = 1_000
_POLL_SECONDS = 0.25
_PROBES = 500
_SAME = 1e-9
_ALL = 1 << 62

Progress = Callable[[str, int, int], None]
"""Told what is going on, records read and records to read."""


class Reproduced(msgspec.Struct, frozen=True):
    """How a version that was made again compares with the one that was promoted.

    Parameters
    ----------
    recipe
        What it was made by.
    equal
        Whether all probes are predicted alike, to within 1e-9.
    probes
        Events that both predicted: the last ones before the promotion.
    largest_difference
        Of two predictions; None where they cannot be subtracted.
    learned, learned_in_shadow
        Events learned from this time.
    notes
        What was not as it had been; each may explain a difference.
    seconds
        That it took.
    """

    recipe: Recipe
    equal: bool
    probes: int
    largest_difference: float | None
    learned: int
    learned_in_shadow: int
    notes: list[str]
    seconds: float


class Reproduction:
    """Makes one version again, in this process; nothing is written anywhere.

    Parameters
    ----------
    recipe
        How it came about.
    config
        The stream's, of today.
    log, store
        Only read.
    monotonic
        Seconds, for how long it takes.
    on_progress
        Called after every batch.
    """

    def __init__(
        self,
        recipe: Recipe,
        config: Config,
        log: Log,
        store: Store,
        monotonic: Callable[[], float],
        on_progress: Progress,
    ) -> None:
        self._recipe = recipe
        model = config.model.model_copy(update={"seed": recipe.seed})
        self._config = config.model_copy(update={"model": model})
        self._log = log
        self._store = store
        self._monotonic = monotonic
        self._on_progress = on_progress
        self._schema = None if recipe.schema is None else schema_from_toml(recipe.schema)
        self._probes: deque[Features] = deque(maxlen=_PROBES)

    def run(self) -> Reproduced:
        """Train, go through the shadow, and compare.

        Raises
        ------
        NotReproducibleError
            The log no longer holds its range, or its kept model is gone or of another River.
        RiverrunError
        """
        began = self._monotonic()
        kept = self._kept()
        notes = self._notes()
        source = self._log.source([self._config.events_topic, self._config.labels_topic])
        try:
            trained = self._train(source)
            again, learned_in_shadow = self._shadow(source, trained.learner, notes)
        finally:
            source.close()
        learned, recipe = trained.counts.learned, self._recipe
        partitions = len(recipe.promoted)
        if learned != recipe.learned:
            notes.append(f"its training learned from {recipe.learned:,} events, now {learned:,}")
        if learned_in_shadow != recipe.learned_in_shadow:
            notes.append(
                f"in the shadow it learned from {recipe.learned_in_shadow:,} events, now "
                f"{learned_in_shadow:,}: learning was paused then, the schema was corrected, or an "
                "event was repeated from before what was read again"
            )
        said = [(_say(kept, probe), _say(again, probe)) for probe in self._probes]
        gaps = [_gap(*pair) for pair in said]
        equal = bool(gaps) and all(gap is not None and gap <= _SAME for gap in gaps)
        if not equal and partitions > 1:
            notes.append(
                f"the stream has {partitions} partitions: records that came to the ends of several "
                "of them at once may have been read in another order"
            )
        return Reproduced(
            recipe=recipe,
            equal=equal,
            probes=len(gaps),
            largest_difference=max((g for g in gaps if g is not None), default=None),
            learned=learned,
            learned_in_shadow=learned_in_shadow,
            notes=notes,
            seconds=round(self._monotonic() - began, 3),
        )

    def _kept(self) -> Learner:
        recipe, now = self._recipe, libraries()
        if recipe.libraries.get("river") != now["river"]:
            raise NotReproducibleError(
                f"{recipe.version} was made with River {recipe.libraries.get('river')}, and this "
                f"is {now['river']}: its kept model cannot be read here. Install that one"
            )
        data = self._store.runs.model(recipe.version, "promoted")
        if data is None:
            raise NotReproducibleError(f"no model of {recipe.version} was kept as it was promoted")
        learner: Learner = pickle.loads(data)  # noqa: S301 (the store verified it)
        return learner

    def _notes(self) -> list[str]:
        """Return what is another than it was, and refuse where events are read in another way."""
        recipe, now = self._recipe, fingerprint(self._config)
        if recipe.fingerprint.partition(".")[0] != now.partition(".")[0]:
            raise NotReproducibleError(
                f"{recipe.version} was made with another task, metrics or event mapping than the "
                "configuration now says; put those of its time back"
            )
        return [
            f"{name} was {then} and is {libraries()[name]}"
            for name, then in recipe.libraries.items()
            if libraries().get(name, then) != then
        ]

    def _train(self, source: Source) -> Line:
        recipe = self._recipe
        line = training_line(self._config, {recipe.candidate: recipe.pipeline}, self._schema)
        self._begin(source, line, _offsets(recipe.start))
        self._read(source, line, _offsets(recipe.shadow), "training")
        return line

    def _shadow(self, source: Source, learner: Learner, notes: list[str]) -> tuple[Learner, int]:
        recipe = self._recipe
        line = training_line(self._config, {recipe.candidate: recipe.pipeline}, self._schema)
        line.learner = _Idle(learner)
        since = recipe.shadow_time - self._config.labels.max_delay
        begin, _ = start_of_range(newest_first(self._store.history), since, _ALL)
        start = _earlier(begin, _offsets(recipe.start))
        expired = [p for p, held in source.bounds().items() if start.get(p, 0) < held.earliest]
        if expired and begin:
            notes.append(
                "the log no longer holds all that came before its range: labels that came in the "
                "shadow for events of that time may be missing"
            )
        held = {place: bound.earliest for place, bound in source.bounds().items()}
        self._begin(source, line, {p: max(start.get(p, 0), at) for p, at in held.items()})
        self._read(source, line, _offsets(recipe.shadow), "what waited for labels")
        line.learner, before = learner, line.counts.learned
        self._read(source, line, _offsets(recipe.promoted), "in the shadow")
        return line.learner, line.counts.learned - before

    def _begin(self, source: Source, line: Line, start: Offsets) -> None:
        bounds = source.bounds()
        for place, held in bounds.items():
            if start.get(place, 0) < held.earliest:
                raise NotReproducibleError(
                    f"{self._recipe.version} cannot be made again: it learned from {place} from "
                    f"offset {start.get(place, 0):,} on, and the log now begins at "
                    f"{held.earliest:,}. Keep records longer on the log to reproduce versions"
                )
        line.offsets = {place: start.get(place, 0) for place in bounds}
        source.seek(line.offsets)

    def _read(self, source: Source, line: Line, target: Offsets, what: str) -> None:
        reader = BoundedReader(source)
        source.seek(line.offsets)
        began = sum(line.offsets.values())
        total = sum(max(line.offsets.get(p, 0), end) for p, end in target.items()) - began
        while not is_reached(line.offsets, target):
            records, any_came = reader.poll(target, _BATCH, _POLL_SECONDS)
            if not any_came and not any(source.lag().values()):
                raise NotReproducibleError(
                    f"{self._recipe.version} cannot be made again: the log ends before the offsets "
                    "that it was trained on; it was truncated or replaced"
                )
            step = line.handle(records, 0)
            self._probes.extend(
                line.features_of(row.record.value or b"") for row in step.predictions
            )
            self._on_progress(what, sum(line.offsets.values()) - began, max(total, 1))


class _Idle(Learner):
    """Predicts nothing and learns nothing: what waits for labels is the same without a model."""

    def __init__(self, like: Learner) -> None:
        super().__init__(like.model, like.task)

    def predict(self, features: Features) -> Prediction:
        return None

    def learn(self, features: Features, label: Label | None) -> None:
        """Do nothing."""


def _say(learner: Learner, features: Features) -> Prediction | Exception:
    try:
        return learner.predict(features)
    except Exception as error:  # noqa: BLE001 (what a model refuses is what it does)
        return error


def _gap(one: Prediction | Exception, other: Prediction | Exception) -> float | None:
    """Return by how much two predictions differ; None where they are of two kinds."""
    if isinstance(one, Exception) or isinstance(other, Exception):
        return 0.0 if repr(one) == repr(other) else None
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return max((abs(one.get(k, 0.0) - other.get(k, 0.0)) for k in {*one, *other}), default=0.0)
    if isinstance(one, int | float) and isinstance(other, int | float):
        return abs(float(one) - float(other))
    return 0.0 if one == other else None


def _earlier(one: Offsets, other: Offsets) -> Offsets:
    return {place: min(one.get(place, 0), at) for place, at in other.items()}


def _offsets(named: Mapping[str, Any]) -> Offsets:
    return {TopicPartition.parse(place): int(offset) for place, offset in named.items()}
