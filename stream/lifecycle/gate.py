"""The gate: whether a challenger is better than the champion, on the losses of the same events.

A paired, anytime-valid sequential test. A bet of share b on each difference d of losses in [-1, 1]
(champion's minus challenger's) multiplies a stake by 1 + b d; as long as the challenger is not
better, given all that came before, the stake is a supermartingale, and so is a mixture of such
stakes over shares b. By Ville's inequality (Ville 1939) it ever reaches 1 / level with probability
at most the level, so that one may look after every event and stop when one likes. Betting on the
mean of bounded differences: Waudby-Smith and Ramdas 2024, Journal of the Royal Statistical Society
B 86(1); comparing two forecasters in this way: Choe and Ramdas 2024, Operations Research 72(4).
Events need not be independent.

In a probation the question is whether a model turns bad at some time, so the bets also begin anew
at later times. A stake that lies still until its time is a supermartingale too, and so is a mixture
over times of beginning, with weights that add up to 1 (the sum over beginnings behind
Shiryaev-Roberts detection, normalised; Shin, Ramdas and Rinaldo 2023, New England Journal of
Statistics in Data Science 2(2)): the level stays, and what was lost while the model was good is
not held against the evidence that comes after.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Literal

import msgspec
import numpy as np

from monitor.arrays import FloatArray

SHARES = np.geomspace(0.01, 0.9, 10)
"""The bets that are mixed; no more than all of the stake can be lost."""

MAX_SEGMENTS = 200
LATE = 9
"""Later beginnings of the bets in a probation, evenly spread; together half of the stake."""

Verdict = Literal["better", "not_worse", "worse", "undecided"]


class GateRules(msgspec.Struct, frozen=True):
    """What the gate asks for; see ``[retrain]``.

    Parameters
    ----------
    level
        Largest probability of promoting a challenger that is not better.
    margin
        Share of the scale by which a refresh may be worse.
    min_labels, max_labels
        Shortest and longest stay in the shadow.
    """

    level: float = 0.01
    margin: float = 0.01
    min_labels: int = 500
    max_labels: int = 20_000


class Gate(msgspec.Struct):
    """The evidence so far. All sums are taken label by label, so that batches of any size agree.

    Parameters
    ----------
    scale
        Loss that counts as 1; larger differences count as 1.
    margin
        See ``GateRules``.
    labels
        Labels taken in.
    champion, challenger
        Sums of their losses, unscaled.
    better, worse, not_worse
        Logs of the stakes, one a share, against the claims that the challenger is not better, that
        it is not worse, and that it is worse by more than the margin.
    segments
        By feature and segment, labels and the logs of the stakes against the claim that the
        challenger is not worse there.
    late_every, late
        Labels between later beginnings of the bets for better, 0 for none; and the logs of the
        stakes of those that have begun.
    """

    scale: float
    margin: float
    labels: int = 0
    champion: float = 0.0
    challenger: float = 0.0
    better: list[float] = msgspec.field(default_factory=lambda: [0.0] * len(SHARES))
    worse: list[float] = msgspec.field(default_factory=lambda: [0.0] * len(SHARES))
    not_worse: list[float] = msgspec.field(default_factory=lambda: [0.0] * len(SHARES))
    segments: dict[str, tuple[int, list[float]]] = {}
    late_every: int = 0
    late: list[list[float]] = []

    def update(
        self,
        champion: FloatArray,
        challenger: FloatArray,
        segments: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """Take in losses on the same events.

        Parameters
        ----------
        champion, challenger
            Finite, not negative, shape (labels,), in the order in which the labels came.
        segments
            By feature, the segment of each event, shape (labels,).

        Examples
        --------
        >>> gate = Gate(scale=1.0, margin=0.01)
        >>> gate.update(np.full(400, 0.5), np.full(400, 0.4))
        >>> gate.verdict(GateRules())
        'undecided'
        >>> gate.update(np.full(400, 0.5), np.full(400, 0.4))
        >>> gate.verdict(GateRules())
        'better'
        """
        if not len(champion):
            return
        gap = np.clip((champion - challenger) / self.scale, -1.0, 1.0)
        self.labels += len(gap)
        self.champion = _added(self.champion, champion)
        self.challenger = _added(self.challenger, challenger)
        self.better = _bet(self.better, gap)
        self._bet_late(gap)
        self.worse = _bet(self.worse, -gap)
        self.not_worse = _bet(self.not_worse, (gap + self.margin) / (1.0 + self.margin))
        for feature, labels in (segments or {}).items():
            names = np.array(labels, dtype=object)
            for name in dict.fromkeys(labels):
                key = f"{feature}={name}"
                if key in self.segments or len(self.segments) < MAX_SEGMENTS:
                    count, stakes = self.segments.get(key, (0, [0.0] * len(SHARES)))
                    some = -gap[names == name]
                    self.segments[key] = (count + len(some), _bet(stakes, some))

    def __add__(self, other: Gate) -> Gate:
        """Add up the evidence of other events: what one gate would have that saw them all.

        Each stake is a product over events, so that stakes on the same share multiply. That is a
        supermartingale in the order in which the evidence comes in, as long as no bet looks at a
        loss that came after it (Vovk and Wang 2021, Annals of Statistics 49(3), on multiplying
        e-values).
        """
        segments = dict(self.segments)
        for name, (count, stakes) in other.segments.items():
            known, before = segments.get(name, (0, [0.0] * len(SHARES)))
            segments[name] = (known + count, _sum(before, stakes))
        late = [_sum(*both) for both in zip_longest(self.late, other.late, fillvalue=_NO_STAKE)]
        return Gate(
            scale=max(self.scale, other.scale),
            margin=self.margin,
            labels=self.labels + other.labels,
            champion=self.champion + other.champion,
            challenger=self.challenger + other.challenger,
            better=_sum(self.better, other.better),
            worse=_sum(self.worse, other.worse),
            not_worse=_sum(self.not_worse, other.not_worse),
            segments=segments,
            late_every=max(self.late_every, other.late_every),
            late=late,
        )

    def verdict(self, rules: GateRules) -> Verdict:
        """Return what the evidence says; ``undecided`` before the shortest stay."""
        if self.labels < rules.min_labels:
            return "undecided"
        needed = -np.log(rules.level)
        if log_mean(self.worse) >= needed:
            return "worse"
        if self.evidence >= needed:
            return "better"
        return "not_worse" if log_mean(self.not_worse) >= needed else "undecided"

    def is_better(self, level: float) -> bool:
        """Return whether the evidence shows it, however short the stay was."""
        return bool(self.evidence >= -np.log(level))

    @property
    def evidence(self) -> float:
        """Log of the mixed stake against the claim that the challenger is not better."""
        if not self.late_every:
            return log_mean(self.better)
        # Those that have not begun stand at 1.
        later = [log_mean(stakes) for stakes in self.late] + [0.0] * (LATE - len(self.late))
        return log_mean([log_mean(self.better), log_mean(later)])

    def _bet_late(self, gap: FloatArray) -> None:
        """Let the bets that begin later take in what came after their beginning."""
        before = self.labels - len(gap)
        for number in range(LATE if self.late_every else 0):
            start = (number + 1) * self.late_every
            if start >= self.labels:
                break
            if number == len(self.late):
                self.late.append([0.0] * len(SHARES))
            self.late[number] = _bet(self.late[number], gap[max(0, start - before) :])

    def worse_in(self, rules: GateRules) -> list[str]:
        """Return the segments in which the challenger is clearly worse, the clearest first.

        The level is shared among the segments (Bonferroni).
        """
        needed = np.log(max(1, len(self.segments)) / rules.level)
        evidence = {name: log_mean(stakes) for name, (_, stakes) in self.segments.items()}
        clear = [name for name, log in evidence.items() if log >= needed]
        return sorted(clear, key=lambda name: -evidence[name])

    def numbers(self) -> dict[str, float | int | None]:
        """Return the numbers that a decision comes with."""
        return {
            "labels": self.labels,
            "champion_loss": self.champion / self.labels if self.labels else None,
            "challenger_loss": self.challenger / self.labels if self.labels else None,
            "log_evidence_better": round(self.evidence, 4),
            "log_evidence_worse": round(log_mean(self.worse), 4),
            "log_evidence_not_worse": round(log_mean(self.not_worse), 4),
        }


def probation_gate(scale: float, margin: float, labels: int) -> Gate:
    """Return a gate without evidence that finds out when a model turns bad.

    Parameters
    ----------
    scale, margin
        As for ``Gate``.
    labels
        Of the probation.

    Examples
    --------
    >>> gates = [Gate(1.0, 0.01), probation_gate(1.0, 0.01, 5_000)]
    >>> for gate in gates:
    ...     gate.update(np.full(2_500, 0.1), np.full(2_500, 0.2))
    ...     gate.update(np.full(500, 0.4), np.full(500, 0.2))
    >>> [gate.is_better(0.01) for gate in gates]
    [False, True]
    """
    return Gate(scale=scale, margin=margin, late_every=max(1, labels // (LATE + 1)))


def log_mean(logs: Sequence[float]) -> float:
    """Return the log of the mean of numbers given by their logs.

    Examples
    --------
    >>> log_mean([0.0, 0.0])
    0.0
    """
    return float(np.logaddexp.reduce(np.asarray(logs)) - np.log(len(logs)))


_NO_STAKE = [0.0] * len(SHARES)


def _sum(some: Sequence[float], others: Sequence[float]) -> list[float]:
    return [one + other for one, other in zip(some, others, strict=True)]


def _bet(stakes: Sequence[float], gains: FloatArray) -> list[float]:
    """Bet on every gain in turn: sums in order, whatever the batches are."""
    logs = np.log1p(SHARES * gains[:, None])
    summed: list[float] = np.cumsum(np.vstack([np.asarray(stakes), logs]), axis=0)[-1].tolist()
    return summed


def _added(total: float, values: FloatArray) -> float:
    return float(np.cumsum(np.concatenate([[total], values]))[-1])
