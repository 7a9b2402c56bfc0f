"""Progressive scores: the prediction that was given when the event came, scored by its label.

Prequential evaluation with real delays (Gama, Sebastiao and Rodrigues, "On evaluating stream
learning algorithms", Machine Learning 90, 2013), over the whole stream, since the model that
serves was promoted, and over the last labels, always beside the baselines on the same events.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Sequence
from copy import deepcopy
from typing import Any, NamedTuple

from stream.baselines import baseline_names
from stream.labels import Label
from stream.learner import Prediction
from stream.sections import Task
from stream.tally import Tally
from stream.watching.labelled import Labelled

Said = tuple[Label | None, Label | None]
"""What the two baselines said."""

Values = dict[str, float | None]
"""By metric; None where it is not defined yet."""

MODEL, FROZEN = "model", "frozen"


class Scored(NamedTuple):
    """A label, and what had been said of its event; ``frozen`` is None where it was not asked.

    Checkpoints hold it, field by field in this order.
    """

    label: Label
    prediction: Prediction
    baselines: Said
    frozen: Prediction


class Scores:
    """The metrics of one stream.

    Parameters
    ----------
    metrics
        River metrics by name, not yet updated.
    task
        What they measure.
    window
        How many of the last labels the rolling scores cover.

    Attributes
    ----------
    scored, unscored
        Labels that met a prediction, and those that met an event the model had said nothing of.
    promoted_time, promoted_after
        Event time in milliseconds of the last promotion, None before any; and the number of
        arrival of the last prediction before it.

    Examples
    --------
    >>> from river import metrics
    >>> scores = Scores({"Accuracy": metrics.Accuracy()}, "binary", window=2)
    >>> for label, said in [(True, 0.9), (False, 0.8), (True, 0.7)]:
    ...     scores.update(label, said, (True, True))
    >>> scores.summary()["model"]["Accuracy"], scores.rolling()["model"]["Accuracy"]
    (0.6666666666666666, 0.5)
    """

    def __init__(self, metrics: dict[str, Any], task: Task, window: int) -> None:
        self.task = task
        self.unscored = 0
        self.promoted_time: int | None = None
        self.promoted_after = 0
        self._empty = deepcopy(metrics)
        self._names = (MODEL, *baseline_names(task))
        self._before = self._tallies()
        self._since = self._tallies()
        self._whole = self._tallies(Tally(metrics, task).others)
        self._beside = self._pair()
        self._window: deque[Scored] = deque(maxlen=window)

    @property
    def scored(self) -> int:
        """How many labels met a prediction."""
        return self._before[0].scored + self._since[0].scored

    def update(
        self,
        label: Label,
        prediction: Prediction,
        said: Said,
        *,
        is_of_now: bool = True,
        frozen: Prediction = None,
    ) -> None:
        """Score one prediction.

        Parameters
        ----------
        label
            Its label.
        prediction
            As it was given; None is counted, and not scored.
        said
            What the baselines said at its time.
        is_of_now
            Whether it was made since the promotion of the model that serves.
        frozen
            What that model would say had it learned nothing since; None where it was not asked.
        """
        self.update_all([Labelled({}, label, prediction, said, 0, 0, frozen, is_of_now)])

    def update_all(self, rows: Sequence[Labelled]) -> None:
        """Score predictions, in the order in which their labels came; as ``update`` does each."""
        scored = [row for row in rows if row.prediction is not None]
        self.unscored += len(rows) - len(scored)
        _add(self._since, [row for row in scored if row.is_of_now])
        _add(self._before, [row for row in scored if not row.is_of_now])
        _add(self._whole, scored)
        _add_beside(self._beside, scored)
        for row in scored[-(self._window.maxlen or 0) :]:
            self._window.append(Scored(row.label, row.prediction, row.baselines, row.frozen))

    def promoted(self, time: int, after: int) -> None:
        """Take note that another model serves: the scores since then begin.

        Parameters
        ----------
        time
            Event time in milliseconds.
        after
            Number of arrival of the last prediction before it.
        """
        self.promoted_time, self.promoted_after = time, after
        self._before = [old + new for old, new in zip(self._before, self._since, strict=True)]
        self._since = self._tallies()

    def freeze(self) -> None:
        """Take note that a model was frozen; those before it are compared with no more."""
        self._beside = self._pair()
        self._window = deque(
            (row._replace(frozen=None) for row in self._window), maxlen=self._window.maxlen
        )

    def fresh_metrics(self) -> dict[str, Any]:
        """Return the metrics as they were before the first update."""
        return deepcopy(self._empty)

    def recent(self) -> list[tuple[Label, Prediction]]:
        """Return the last labels and predictions, oldest first."""
        return [(row.label, row.prediction) for row in self._window]

    def resize(self, window: int) -> None:
        """Change the number of labels that the rolling scores cover."""
        if window != self._window.maxlen:
            self._window = deque(self._window, maxlen=window)

    def summary(self) -> dict[str, Values]:
        """Return every metric over the whole stream, of the model and of each baseline."""
        whole = [old + new for old, new in zip(self._before, self._since, strict=True)]
        found = self._named(whole)
        for name, tally in zip(self._names, self._whole, strict=False):
            found[name] |= tally.values()
        return found

    def since(self) -> tuple[int, dict[str, Values]]:
        """Return how many labels there are since the promotion, and every metric of them."""
        return self._since[0].scored, self._named(self._since)

    def rolling(self) -> dict[str, Values]:
        """Return every metric over the last labels. Costs one update for each of them."""
        tallies = self._tallies()
        _add(tallies, self._window)
        return self._named(tallies)

    def beside_frozen(self) -> tuple[int, dict[str, Values]]:
        """Return every metric since the promotion where the frozen model was asked, of both.

        Returns
        -------
        tuple
            How many labels that were; and the values of ``model`` and ``frozen``.
        """
        return _of_pair(self._beside)

    def rolling_beside_frozen(self) -> tuple[int, dict[str, Values]]:
        """Return the same of the last labels."""
        pair = self._pair()
        _add_beside(pair, self._window)
        return _of_pair(pair)

    def _tallies(self, metrics: dict[str, Any] | None = None) -> list[Tally]:
        """Return new ones of the model and the baselines; none where there are no ``metrics``."""
        if metrics == {}:
            return []
        metrics = metrics or self._empty
        certain = self.task != "regression"
        baselines = [Tally(metrics, self.task, certain=certain) for _ in self._names[1:]]
        return [Tally(metrics, self.task), *baselines]

    def _pair(self) -> list[Tally]:
        return [Tally(self._empty, self.task) for _ in (MODEL, FROZEN)]

    def _named(self, tallies: Sequence[Tally]) -> dict[str, Values]:
        return {name: tally.values() for name, tally in zip(self._names, tallies, strict=True)}


def _add(tallies: Sequence[Tally], rows: Collection[Labelled | Scored]) -> None:
    """Add what the model and the baselines said; there may be no tallies."""
    if not (tallies and rows):
        return
    labels = [row.label for row in rows]
    predictions = [row.prediction for row in rows]
    baselines = zip(*[row.baselines for row in rows], strict=True)
    for tally, answers in zip(tallies, (predictions, *baselines), strict=True):
        _add_answers(tally, labels, answers)


def _add_beside(pair: Sequence[Tally], rows: Iterable[Labelled | Scored]) -> None:
    """Add what the model and the frozen one said, where both were asked."""
    asked = [row for row in rows if row.frozen is not None]
    labels = [row.label for row in asked]
    for tally, answers in zip(
        pair, ([row.prediction for row in asked], [row.frozen for row in asked]), strict=True
    ):
        tally.update_all(labels, answers)


def _add_answers(tally: Tally, labels: Sequence[Label], answers: Sequence[Prediction]) -> None:
    """Add answers; a baseline has none before the first label."""
    if None in answers:
        there = [pair for pair in zip(labels, answers, strict=True) if pair[1] is not None]
        labels, answers = [label for label, _ in there], [answer for _, answer in there]
    tally.update_all(labels, answers)


def _of_pair(pair: Sequence[Tally]) -> tuple[int, dict[str, Values]]:
    model, frozen = pair
    return model.scored, {MODEL: model.values(), FROZEN: frozen.values()}
