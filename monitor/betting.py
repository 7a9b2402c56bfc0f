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
from dataclasses import dataclass, replace

import numpy as np

from monitor.arrays import FloatArray

BETS = 8
_BETS_SHARE = np.geomspace(0.02, 0.9, BETS)


@dataclass(frozen=True, slots=True)
class BettingState:
    """All that the test remembers.

    Parameters
    ----------
    mean
        The largest mean that is no change, in (0, 1).
    stakes
        Logs of the stakes, one a bet, never below 0 between losses.
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
    if not len(x):
        return state, None, 0
    gains = np.log1p(_BETS_SHARE / state.mean * (x[:, None] - state.mean))
    stakes = np.empty_like(gains)
    last = start = np.array(state.stakes)
    # One by one, so that batches of any size give the same floats; each is put back to 0.
    for at, gain in enumerate(gains):
        last = np.maximum(last + gain, 0.0, out=stakes[at])
    before = np.vstack([start, stakes[:-1]])
    evidence = np.logaddexp.reduce(before + gains, axis=1) - np.log(BETS)
    crossed = np.flatnonzero(evidence >= np.log(threshold))
    used = int(crossed[0]) + 1 if len(crossed) else len(x)
    began, began_time = list(state.began), list(state.began_time)
    for at in range(BETS):
        resets = np.flatnonzero(stakes[:used, at] == 0.0)
        if len(resets):
            began[at] = state.seen + int(resets[-1]) + 1
            began_time[at] = float(times[resets[-1]])
    after = replace(
        state,
        stakes=tuple(stakes[used - 1].tolist()),
        began=tuple(began),
        began_time=tuple(began_time),
        seen=state.seen + used,
        evidence=max(0.0, float(evidence[used - 1])),
    )
    if not len(crossed):
        return after, None, used
    best = int(np.argmax(before[used - 1] + gains[used - 1]))
    rise = Rise(after.seen, float(times[used - 1]), began[best], began_time[best])
    return after, rise, used
