"""What people say of events: who gave which label, who disagrees, and whose word is wanted."""

from __future__ import annotations

import msgspec

from stream.config import Config
from stream.counts import Counts
from stream.events import LabelMessage
from stream.labels import Label
from stream.settled import Settled
from stream.wanted import Wanted

MOST_AT_ONCE = 1_000
"""Conflicts kept between two checkpoints; those beyond it are only counted."""


class Given(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Who gave a label, and when.

    Parameters
    ----------
    label, by
        What was said, and by whom.
    at
        When it was appended, in milliseconds since the epoch.
    """

    label: Label
    by: str
    at: int


class Conflict(msgspec.Struct, frozen=True):
    """Two labels of one event.

    Parameters
    ----------
    id
        Of the event.
    learned
        The label that counts: the prediction was scored by it and the model learned from it.
    learned_by, learned_at
        Who gave it and when, in milliseconds since the epoch; None where nobody said so.
    said, said_by, said_at
        The other one, which changed nothing.
    """

    id: str
    learned: Label
    learned_by: str | None
    learned_at: int | None
    said: Label
    said_by: str | None
    said_at: int | None


class Opinions:
    """Who gave the last labels, and the conflicts since the last checkpoint.

    Parameters
    ----------
    config
        As many givers are remembered as settled ids, ``event.dedup_window``; the oldest is
        forgotten first.

    Attributes
    ----------
    givers
        By id, of labels that say who gave them.
    conflicts
        In order; they leave with the checkpoint.
    wanted
        The predictions that a person's label is most wanted of; None where nobody is asked.

    Examples
    --------
    >>> labels = {"event": {"label": "y"}, "stream": {"name": "s"}}
    >>> model = {"task": "binary", "pipeline": "linear_model.LogisticRegression()"}
    >>> opinions, counts = Opinions(Config(**labels, model=model)), Counts()
    >>> opinions.first(LabelMessage("a", True, "anna"), 1_000)
    >>> opinions.again(counts, True, LabelMessage("a", False, "bert"), 2_000)
    >>> found = opinions.conflicts[0]
    >>> found.learned_by, found.learned, found.said_by, found.said
    ('anna', True, 'bert', False)
    """

    def __init__(self, config: Config) -> None:
        self.givers: Settled[Given] = Settled(config.event.dedup_window)
        budget = config.labels.wanted_budget
        self.wanted = Wanted(config.model.task, budget) if budget else None
        self.conflicts: list[Conflict] = []
        self._last = ""

    def first(self, message: LabelMessage, at: int) -> None:
        """Remember who gave the first label of an id, where that is known."""
        by = message.by
        if by is None or message.id in self.givers:
            return
        if by == self._last:
            by = self._last  # one text for all labels of the same giver
        self._last = by
        self.givers.add(message.id, Given(message.label, by, at))

    def again(self, counts: Counts, known: Label | None, message: LabelMessage, at: int) -> None:
        """Count a label of an id that has one, and remember a conflict.

        Parameters
        ----------
        counts
            The line's.
        known
            The label that counts; None where the prediction was given up.
        message, at
            The one that came, and when.
        """
        counts.again(known, message.label)
        if known is not None and known != message.label:
            learned = self._giver(message.id, known)
            said = Given(message.label, message.by, at) if message.by is not None else None
            self._disagree(message.id, known, learned, message.label, said, at)

    def early(self, counts: Counts, known: Label, key: str, early: Label) -> None:
        """Count a label that had come before its event, which brought one of its own."""
        counts.again(known, early)
        if known != early:
            said = self._giver(key, early)
            at = None if said is None else said.at
            self._disagree(key, known, None, early, said, at)

    def mark_committed(self) -> None:
        """Let go of what a checkpoint holds now."""
        self.conflicts.clear()

    def _giver(self, key: str, label: Label) -> Given | None:
        found = self.givers.label(key) if key in self.givers else None
        return found if found is not None and found.label == label else None

    def _disagree(
        self,
        key: str,
        known: Label,
        learned: Given | None,
        label: Label,
        said: Given | None,
        at: int | None,
    ) -> None:
        if len(self.conflicts) >= MOST_AT_ONCE:
            return
        by, since = (None, None) if learned is None else (learned.by, learned.at)
        who = None if said is None else said.by
        self.conflicts.append(Conflict(key, known, by, since, label, who, at))
