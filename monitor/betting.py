"""An anytime-valid test for a rise of the mean loss, with a stated rate of false alarms.

A bet on each loss x in [0, 1] against the claim that its mean is at most m, whatever came before,
multiplies a stake by 1 + b (x - m); under the claim the stake is a supermartingale (Waudby-Smith
and Ramdas 2024, Journal of the Royal Statistical Society B 86(1)). Started anew whenever it falls
below its beginning, it is an e-detector of CUSUM form, and a mixture of such over bets b is one
too: as long as the claim holds, the expected number of losses to the first crossing of a threshold
c is at least c (Shin, Ramdas and Rinaldo 2023, New England Journal of Statistics in Data Science
2(2)). Independence of the losses is not needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from monitor.arrays import FloatArray

BETS = 8
_BETS_SHARE = np.geomspace(0.02, 0.9, BETS)[:, np.newaxis]
# Multiples of 2^-36 below 2^16 add up without rounding, and so alike however losses come in
# batches; so many gains at once, each below 32, stay below that.
_GRID = 2.0**36
_TOGETHER = 2048
_MARGIN = 1e-6


@dataclass(frozen=True, slots=True)
class BettingState:
    """All that the test remembers.

    Parameters
    ----------
    mean
        The largest mean that is no change, in (0, 1).
    stakes
        Logs of the stakes, one a bet, never below 0 between losses; multiples of 2^-36.
    began, began_time
        Number, and event time in seconds, of the last loss before each stake began to grow.
    seen
        Losses taken in.
    evidence
        Log of the mixture after the last loss.
    """

    mean: float
    stakes: tuple[float, ...] = (0.0,) * BETS
    began: tuple[int, ...] = (0,) * BETS
    began_time: tuple[float, ...] = (0.0,) * BETS
    seen: int = 0
    evidence: float = 0.0


@dataclass(frozen=True, slots=True)
class Rise:
    """A rise of the mean loss.

    Parameters
    ----------
    at, at_time
        Number and event time of the loss at which it was found.
    since, since_time
        Number and event time of the last loss before the estimated change: where the stake that
        found it was last at its beginning (Page 1954, Biometrika 41).
    """

    at: int
    at_time: float
    since: int
    since_time: float


def bet(
    state: BettingState, losses: Sequence[float] | FloatArray, times: FloatArray, threshold: float
) -> tuple[BettingState, Rise | None, int]:
    """Bet on losses in order, up to the first that completes the evidence.

    Parameters
    ----------
    state
        Before these losses.
    losses
        In [0, 1], shape (losses,).
    times
        Event times in seconds, shape (losses,).
    threshold
        Expected number of losses to a false alarm.

    Returns
    -------
    tuple
        The state after the losses that were taken in; the rise, if one was found; and the number
        of losses taken in, which is less than all only where a rise was found.

    Examples
    --------
    >>> import numpy as np
    >>> losses = np.r_[np.tile([0.0, 0.0, 0.0, 1.0], 50), np.ones(40)]
    >>> _, rise, used = bet(BettingState(0.3), losses, np.arange(240.0), 1e4)
    >>> rise.since, 200 < rise.at < 220, used == rise.at
    (199, True, True)
    """
    x = np.asarray(losses, dtype=np.float64)
    rise, used = None, 0
    while rise is None and used < len(x):
        some = slice(used, used + _TOGETHER)
        state, rise, taken = _bet(state, x[some], times[some], np.log(threshold))
        used += taken
    return state, rise, used


def _bet(
    state: BettingState, x: FloatArray, times: FloatArray, wanted: float
) -> tuple[BettingState, Rise | None, int]:
    """Bet on at least one loss, up to the first at which the log of the mixture is as wanted."""
    sums = np.empty((BETS, len(x) + 1))
    sums[:, 0] = state.stakes
    sums[:, 1:] = np.log1p(_BETS_SHARE / state.mean * (x - state.mean))
    # Rounded down, so that the stakes stay below a supermartingale.
    np.floor(sums * _GRID, out=sums)
    sums /= _GRID
    np.cumsum(sums, axis=1, out=sums)
    # A stake that is put back to 0 is its sum of gains less the lowest one so far (Lindley 1952,
    # Mathematical Proceedings of the Cambridge Philosophical Society 48).
    lowest = np.minimum(np.minimum.accumulate(sums, axis=1), 0.0)
    stakes = sums[:, 1:] - lowest[:, :-1]
    # The mixture is at most the largest stake: only where that is large need it be known.
    near = np.flatnonzero(stakes.max(axis=0) >= wanted - _MARGIN)
    crossed = near[_evidence(stakes[:, near]) >= wanted]
    used = int(crossed[0]) + 1 if len(crossed) else len(x)
    began, began_time = list(state.began), list(state.began_time)
    back = stakes[:, :used] <= 0.0
    resets = used - 1 - np.argmax(back[:, ::-1], axis=1)
    for at in np.flatnonzero(back.any(axis=1)).tolist():
        began[at] = state.seen + int(resets[at]) + 1
        began_time[at] = float(times[resets[at]])
    last = stakes[:, used - 1]
    after = BettingState(
        mean=state.mean,
        stakes=tuple(np.maximum(last, 0.0).tolist()),
        began=tuple(began),
        began_time=tuple(began_time),
        seen=state.seen + used,
        evidence=max(0.0, float(_evidence(last))),
    )
    if not len(crossed):
        return after, None, used
    best = int(np.argmax(last))
    rise = Rise(after.seen, float(times[used - 1]), began[best], began_time[best])
    return after, rise, used


def _evidence(stakes: FloatArray) -> FloatArray:
    """Give the log of the mixture of stakes whose logs are given, shape (BETS, ...)."""
    return np.asarray(np.logaddexp.reduce(stakes, axis=0) - np.log(BETS))
