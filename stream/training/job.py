"""What a training process is told."""

from __future__ import annotations

from typing import Any

import msgspec


class Job(msgspec.Struct, frozen=True):
    """One training.

    Parameters
    ----------
    config
        The configuration's tables.
    run, epoch
        Which run, and the epoch of the worker that wants it.
    pipelines
        By candidate's name, what is trained.
    since
        Event time in milliseconds that the range begins at; None for the last ``retrain.window``
        events.
    schema
        What events must be, as text; None where nothing is known yet.
    """

    config: dict[str, Any]
    run: int
    epoch: int
    pipelines: dict[str, str]
    since: int | None
    schema: str | None


class Candidates(msgspec.Struct, frozen=True):
    """What a training made: a line that can go on, and what it was trained on.

    Parameters
    ----------
    offsets, parts, chunks
        The line's snapshot, whole; its candidates but the first are shadows.
    reference
        What it was trained on, as counts; None where there were too few events.
    detail
        Range, events, scores, seconds; to be written down.
    """

    offsets: dict[str, int]
    parts: dict[str, bytes]
    chunks: dict[str, bytes]
    reference: bytes | None
    detail: dict[str, Any]
