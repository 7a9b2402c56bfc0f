"""The newest predictions out of the store, joined with their labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from threading import Lock
from typing import Protocol

from stream.config import Config
from stream.events import Decoder, Features
from stream.labels import Label, LabelReader
from stream.learner import Prediction, decide
from stream.recent import Known, joined
from stream.sections import Task
from stream.storage.recent import StoredChunk
from stream.storage.store import Store
from stream.watching.losses import losses


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a label says of a prediction.

    Parameters
    ----------
    correct
        Whether the predicted class is the label; None for a task without classes.
    loss
        See ``stream.watching.losses``; None where nothing was predicted.
    """

    correct: bool | None
    loss: float | None


@dataclass(frozen=True, slots=True)
class KeptView:
    """The kept predictions at one moment.

    Parameters
    ----------
    made
        How many predictions were ever made.
    known
        Those that are kept, oldest first.
    verdicts
        By number, of those with a label.
    newest
        By id, the number of its newest prediction.
    """

    made: int
    known: dict[int, Known]
    verdicts: dict[int, Verdict]
    newest: dict[str, int]


class Kept(Protocol):
    """The newest predictions, wherever they are kept."""

    def view(self) -> KeptView:
        """Return what is kept now. Blocks: call it in a thread."""

    def features_of(self, value: bytes) -> Features:
        """Return the features that the model saw of an event's JSON."""


class KeptPredictions:
    """Reads what the worker keeps, only what is new since the last look.

    Parameters
    ----------
    store
        Only read.
    config
        The stream's.
    """

    def __init__(self, store: Store, config: Config) -> None:
        self._store = store
        self._keep = config.predictions.keep
        self._task = config.model.task
        read_label = LabelReader(config.model.task, config.model.classes)
        self._decoder = Decoder(config.event, read_label)
        self._chunks: dict[int, StoredChunk] = {}
        self._view = KeptView(0, {}, {}, {})
        self._lock = Lock()

    def view(self) -> KeptView:
        """Return what is kept now. Blocks: call it in a thread.

        Raises
        ------
        StoreError
        """
        with self._lock:
            numbers = self._store.recent.numbers()
            if numbers != list(self._chunks):
                self._read(numbers)
                self._view = self._joined()
            return self._view

    def features_of(self, value: bytes) -> Features:
        """Return the features that the model saw of an event's JSON."""
        return self._decoder.features_of(value)

    def _read(self, numbers: Sequence[int]) -> None:
        """Take in the chunks that are new; a worker may have gone back behind some of the known."""
        wanted = set(numbers)
        kept = {number: one for number, one in self._chunks.items() if number in wanted}
        for one in self._store.recent.chunks(after=max(kept, default=0)):
            kept[one.number] = one
        self._chunks = kept

    def _joined(self) -> KeptView:
        if not self._chunks:
            return KeptView(0, {}, {}, {})
        newest = self._chunks[max(self._chunks)]
        made = newest.last
        chunks = ((one.at, one.chunk) for one in self._chunks.values())
        known = joined(chunks, made - self._keep)
        labelled = [one for one in known.values() if one.label is not None]
        found = verdicts(
            self._task,
            [one.label for one in labelled if one.label is not None],
            [one.said.prediction for one in labelled],
        )
        return KeptView(
            made,
            known,
            {one.number: verdict for one, verdict in zip(labelled, found, strict=True)},
            {one.said.id: one.number for one in known.values()},
        )


def verdicts(
    task: Task, labels: Sequence[Label], predictions: Sequence[Prediction]
) -> list[Verdict]:
    """Return what labels say of predictions, one by one.

    Examples
    --------
    >>> verdicts("binary", [True], [0.75])
    [Verdict(correct=True, loss=0.0625)]
    """
    found = losses(task, labels, predictions).tolist()
    has_classes = task in ("binary", "multiclass")
    return [
        Verdict(
            str(decide(task, said)) == str(label) if has_classes and said is not None else None,
            None if isnan(loss) else loss,
        )
        for label, said, loss in zip(labels, predictions, found, strict=True)
    ]
