"""Models of keys where predictions are served: read from the store when a key is asked for."""

from __future__ import annotations

import pickle
import time
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from threading import Lock
from typing import NamedTuple

import structlog

from stream.errors import CheckpointDamagedError, StoreError
from stream.keys.key_models import KeyModel
from stream.keys.per_key import PerKeyLearner
from stream.keys.rows import KeyRow
from stream.learner import Learner
from stream.storage.key_models import KeyModelStore

_log = structlog.get_logger("riverrun.api")

_AGAIN_SECONDS = 1.0
"""After a store that failed, before it is asked again: until then the parent answers."""

Row = dict[str, str | int | float | bool | None]
"""The fields of an event."""


class _Held(NamedTuple):
    """What is known of a key: as of which checkpoint, and its model; None where it has none."""

    checked: int
    model: KeyModel | None


class ServedKeys:
    """The models of keys that were asked for lately; the parent answers for all others.

    Parameters
    ----------
    store
        Of the stream; only read.

    Attributes
    ----------
    loads
        How many models were read.
    failures
        How often the store could not be read, or a model was damaged: then the parent answered, or
        the key's model as it was.
    """

    def __init__(self, store: KeyModelStore) -> None:
        self._store = store
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self._lock = Lock()
        self._number = 0
        self._capacity = 0
        self._again_at = 0.0
        self.loads = self.failures = 0

    def __len__(self) -> int:
        return sum(held.model is not None for held in list(self._held.values()))

    def follow(self, learner: Learner, number: int) -> None:
        """Answer for the keys of a learner, as of a checkpoint or later."""
        if isinstance(learner, PerKeyLearner):
            learner.served = self
            self._capacity, self._number = learner.settings.in_memory, number

    def get(self, key: str) -> KeyModel | None:
        """Return a key's model; None where it has none. Blocks where it is not known yet."""
        if not self._knows(key):
            self.bring([key])
        with self._lock:
            held = self._held.get(key)
            if held is None:
                return None
            self._held.move_to_end(key)
            return held.model

    def missing(self, learner: PerKeyLearner, events: Iterable[Row]) -> list[str]:
        """Return the keys of events that the store has to be asked for."""
        keys = dict.fromkeys(map(learner.key_of, events))
        return [key for key in keys if key is not None and not self._knows(key)]

    def bring(self, keys: Sequence[str]) -> None:
        """Read what the store has of keys. Blocks; raises nothing."""
        if time.monotonic() < self._again_at:
            return
        number = self._number
        with self._lock:
            held = {key: self._held.get(key) for key in keys}
        known = {key: one.model.number for key, one in held.items() if one and one.model}
        try:
            rows = self._store.newest(keys, known)
            models = {key: _unpickled(row) for key, row in rows.items() if row and row.data}
        except CheckpointDamagedError as error:
            self._failed(error)
            if len(keys) > 1:
                for key in keys:
                    self.bring([key])
            return
        except StoreError as error:
            self._again_at = time.monotonic() + _AGAIN_SECONDS
            self._failed(error)
            return
        with self._lock:
            self.loads += len(models)
            for key, row in rows.items():
                before = self._held.get(key)
                model = None if row is None else models.get(key) or (before and before.model)
                self._held[key] = _Held(number, model)
                self._held.move_to_end(key)
            while len(self._held) > max(self._capacity, len(keys)):
                self._held.popitem(last=False)

    def _knows(self, key: str) -> bool:
        held = self._held.get(key)
        return held is not None and held.checked == self._number

    def _failed(self, error: StoreError) -> None:
        self.failures += 1
        _log.error("key_models_not_read", reason=str(error))


def _unpickled(row: KeyRow) -> KeyModel:
    kept = KeyModel(row.learned, row.turn, row.number, row.mark)
    # The store has checked its seal.
    kept.model, kept.probe = pickle.loads(row.data or b"")  # noqa: S301
    return kept
