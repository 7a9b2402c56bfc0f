"""Small charts of block characters, for tables and notebooks."""

from __future__ import annotations

from collections.abc import Sequence

BLOCKS = "▁▂▃▄▅▆▇█"
PLAIN = ".:-=+*%@"


def sparkline(values: Sequence[float], top: float | None = None, blocks: str = BLOCKS) -> str:
    """Draw values as a row of blocks.

    Parameters
    ----------
    values
        Not negative.
    top
        What the highest block stands for; default the largest value. Lines that are to be
        compared need the same.
    blocks
        From lowest to highest, for instance `PLAIN` where only ASCII can be shown.

    Returns
    -------
    str
        A character a value; a space where it is zero, so that little can be told from nothing.

    Examples
    --------
    >>> sparkline([0, 1, 2, 4, 8])
    ' ▁▂▄█'
    """
    top = max(values, default=0.0) if top is None else top
    if top <= 0:
        return " " * len(values)
    last = len(blocks) - 1
    return "".join(
        blocks[min(last, int(value / top * len(blocks) - 1e-9))] if value > 0 else " "
        for value in values
    )
