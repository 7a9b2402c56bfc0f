"""One answer out of those of several shards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import fmean
from typing import Generic, NamedTuple, TypeVar, cast

from stream.events import Features
from stream.learner import Learner, Prediction
from stream.sections import Task

T = TypeVar("T")


class Ballot(NamedTuple, Generic[T]):
    """What one shard predicts.

    Parameters
    ----------
    voter
        Whose it is.
    prediction
        As ``Learner.predict`` returns it; None for a shard that has nothing to say.
    """

    voter: T
    prediction: Prediction


def combine(task: Task, ballots: Sequence[Ballot[T]]) -> tuple[Prediction, list[T]]:
    """Return the shards' answer, and which of them it is made of.

    Keys are spread evenly over shards, so that each has seen about as much as any other: all weigh
    the same. Probabilities are averaged class by class, and one that a shard does not name is zero
    there; values and scores are averaged; bare classes are counted, and of those that have as many
    votes the first in the order of their names wins.

    Parameters
    ----------
    task
        The stream's.
    ballots
        In the order of the shards.

    Examples
    --------
    >>> combine("binary", [Ballot("a", 0.25), Ballot("b", 0.75), Ballot("c", None)])
    (0.5, ['a', 'b'])
    >>> combine("multiclass", [Ballot("a", {"x": 1.0}), Ballot("b", {"x": 0.5, "y": 0.5})])
    ({'x': 0.75, 'y': 0.25}, ['a', 'b'])
    >>> combine("multiclass", [Ballot("a", "y"), Ballot("b", "x")])
    ('x', ['a', 'b'])
    """
    said = [one for one in ballots if one.prediction not in (None, {})]
    voters = [one.voter for one in said]
    if not said:
        return None, []
    answers = [one.prediction for one in said]
    if task != "multiclass":
        return fmean(cast("list[float]", answers)), voters
    named = [one for one in answers if isinstance(one, dict)]
    if len(named) == len(answers):
        names = sorted(set().union(*named))
        return {name: fmean(one.get(name, 0.0) for one in named) for name in names}, voters
    classes = [max(one, key=one.__getitem__) if isinstance(one, dict) else one for one in answers]
    votes = Counter(classes)
    most = max(votes.values())
    return min((one for one, count in votes.items() if count == most), key=str), voters


class JointLearner(Learner):
    """The learners of several shards, which answer as one and learn nothing.

    Parameters
    ----------
    task
        The stream's.
    learners
        Those of the shards.
    """

    def __init__(self, task: Task, learners: Sequence[Learner]) -> None:
        super().__init__(None, task)
        self._learners = learners

    def predict(self, features: Features) -> Prediction:
        """Return what they say together. Raises what one of them raises."""
        ballots = [Ballot(one, one.predict(features)) for one in self._learners]
        return combine(self.task, ballots)[0]
