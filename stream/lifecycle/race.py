"""Successive halving: the worse half of the candidates leaves at every rung.

Karnin, Koren and Somekh 2013, "Almost optimal exploration in multi-armed bandits", ICML; Jamieson
and Talwalkar 2016, AISTATS. The survivors' evidence begins anew at each rung, so that the gate that
the last one faces is not biased by having been chosen.
"""

from __future__ import annotations

from collections.abc import Sequence

from stream.lifecycle.shadow import Shadow


def stay(shadows: Sequence[Shadow]) -> list[Shadow]:
    """Return the better half of the shadows by mean loss since the last rung, best first.

    Parameters
    ----------
    shadows
        Those that failed leave, whatever their loss.
    """
    whole = [shadow for shadow in shadows if shadow.failed is None and shadow.gate.labels]
    ranked = sorted(whole, key=lambda shadow: shadow.gate.challenger / shadow.gate.labels)
    return ranked[: max(1, len(shadows) // 2)]
