"""The third baseline: the serving model as it was when it was promoted, learning nothing since.

What it gains over this one is what learning on is worth. It predicts one event in so many, chosen
by the id, so that a periodic stream is not seen at one hour of its day only.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from zlib import crc32

from stream.events import Features
from stream.learner import Learner, Prediction
from stream.watching.beside import Beside

if TYPE_CHECKING:
    from stream.line import Line

Others = dict[str, Prediction]
"""What models beside the serving one said of an event, by name."""


class Frozen:
    """A model that predicts beside the serving one, and never learns.

    Parameters
    ----------
    blob
        The learner, pickled when it was frozen.
    version
        Of the serving model, which it was.
    time
        Event time in milliseconds when it was frozen; None before any.
    every
        One event in so many is asked.

    Attributes
    ----------
    failed
        Why it says no more, where its model raised.
    is_fresh
        Whether it was frozen since the last checkpoint.

    Examples
    --------
    >>> from river import linear_model
    >>> blob = pickle.dumps(Learner(linear_model.LogisticRegression(), "binary"))
    >>> frozen = Frozen(blob, "v1", None, every=1)
    >>> said = frozen.predict("a", {"x": 1.0}, None)
    >>> said, frozen.said(said)
    ({'frozen/v1': 0.5}, 0.5)
    """

    def __init__(self, blob: bytes, version: str, time: int | None, every: int) -> None:
        self.blob = blob
        self.version = version
        self.time = time
        self.every = every
        self.failed: str | None = None
        self.is_fresh = True
        self._key = f"frozen/{version}"
        self._learner: Learner = pickle.loads(blob)  # noqa: S301 (ours, or the store verified it)

    def predict(self, key: str, features: Features, others: Others | None) -> Others | None:
        """Add its prediction of an event to what others said, where it is asked about this one.

        Parameters
        ----------
        key
            The event's id.
        features
            Of the event.
        others
            What models in the shadow said; None for nothing.
        """
        if self.failed is not None or crc32(key.encode()) % self.every:
            return others
        try:
            prediction = self._learner.predict(features)
        except Exception as error:  # noqa: BLE001 (a baseline's error must not reach the champion)
            self.failed = f"predict raised {type(error).__name__}: {error}"
            return others
        return {self._key: prediction, **(others or {})}

    def said(self, others: Mapping[str, Prediction] | None) -> Prediction:
        """Return what it had said, out of what all others had; None where it was not asked."""
        return None if others is None else others.get(self._key)

    def known(self) -> dict[str, Any]:
        """Return all but the model, as plain data."""
        return {"version": self.version, "time": self.time, "failed": self.failed}


def freeze_first(line: Line, findings: Sequence[object]) -> None:
    """Freeze the model that serves where none is: behind the warm-up, and at a pane's end."""
    wanted = line.frozen is None and line.config.monitor.frozen_every > 0
    if findings and wanted and line.watch is not None and line.watch.is_warm:
        freeze(line)


def freeze(line: Line, blob: bytes | None = None) -> None:
    """Freeze a line's model as it is now, where ``monitor.frozen_every`` wants it.

    Parameters
    ----------
    line
        Its former frozen model is let go of.
    blob
        The line's learner, where the caller has pickled it already.
    """
    every = line.config.monitor.frozen_every
    line.scores.freeze()
    if line.watch is not None:
        line.watch.performances.beside = Beside()
    line.frozen = None
    if every:
        blob = pickle.dumps(line.learner, 5) if blob is None else blob
        line.frozen = Frozen(blob, line.version, line.watermark, every)


def thaw(line: Line, known: Mapping[str, Any] | None, blob: bytes | None) -> None:
    """Give a line the frozen model of a checkpoint; both None where it had none."""
    every = line.config.monitor.frozen_every
    line.frozen = None
    if known is not None and blob is not None and every:
        line.frozen = Frozen(blob, known["version"], known["time"], every)
        line.frozen.failed, line.frozen.is_fresh = known["failed"], False
