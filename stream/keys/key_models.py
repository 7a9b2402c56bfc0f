"""The models of all keys: which there are, and those of them that are in memory.

What a key's model is follows from the log alone. Which of them are in memory does not matter to
it: one that is not is loaded from what was committed, by a mapping that the shell gives.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

import msgspec

from stream.event_shape import Features
from stream.keys.rows import MODULUS, KeyRow, KeySum, KeyWrite, LoadKeys

Say = Callable[[Any, Features], object]
"""Asks a model for a prediction of features."""

_encode = msgspec.json.Encoder(order="sorted").encode


class KeyModel:
    """The model of one key.

    Attributes
    ----------
    learned, turn, number, mark
        As in ``KeyRow``; ``number`` is 0 before the first checkpoint, ``mark`` is None where the
        model has learned since it was taken.
    model
        The River model; None where it is not in memory.
    probe
        Features of the key's first label: the mark is of what the model predicts for them.
    """

    __slots__ = ("learned", "mark", "model", "number", "probe", "turn")

    def __init__(self, learned: int, turn: int, number: int, mark: int | None) -> None:
        self.learned = learned
        self.turn = turn
        self.number = number
        self.mark = mark
        self.model: Any = None
        self.probe: Features | None = None


class KeyModels:
    """Models by key, the least recently taught first.

    Parameters
    ----------
    say
        Asks one of them for a prediction.
    max_keys
        How many keys there may be; the one that learned longest ago is forgotten for a new one.
    in_memory
        How many models stay in memory. Those that changed since the last checkpoint, and those of
        the records at hand, stay whatever their number.

    Attributes
    ----------
    load
        Reads what was committed; None where nothing ever leaves memory.
    loads
        How many models were read, since the process began.
    spills
        How many models left memory, since the process began.
    crowded
        How many checkpoints came because of ``is_full``, since the process began.
    made, forgotten
        How many keys began, and how many were forgotten for others, over the stream's life.
    """

    def __init__(self, say: Say, max_keys: int, in_memory: int) -> None:
        self._say = say
        self.max_keys = max_keys
        self.in_memory = in_memory
        self.load: LoadKeys | None = None
        self.loads = self.spills = self.crowded = 0
        self.made = self.forgotten = self._turn = 0
        self._index: OrderedDict[str, KeyModel] = OrderedDict()
        self._held: OrderedDict[str, None] = OrderedDict()  # the least recently used first
        self._changed: dict[str, None] = {}
        self._gone: dict[str, None] = {}
        self._unmarked: dict[str, None] = {}
        self._marks = 0

    def __len__(self) -> int:
        return len(self._index)

    def __contains__(self, key: str) -> bool:
        return key in self._index

    @property
    def held(self) -> int:
        """How many models are in memory."""
        return len(self._held)

    @property
    def fits(self) -> bool:
        """Whether all models are in memory, and may stay there."""
        return len(self._held) == len(self._index) <= self.in_memory

    @property
    def is_full(self) -> bool:
        """Whether more models changed since the last checkpoint than may stay in memory."""
        return len(self._changed) > self.in_memory

    def get(self, key: str) -> KeyModel | None:
        """Return a key's model, in memory; None where the key has none."""
        kept = self._index.get(key)
        if kept is None:
            return None
        if kept.model is None:
            self._bring({key: kept.number})
        self._held.move_to_end(key)
        return kept

    def prepare(self, wanted: Collection[str]) -> None:
        """Bring the models of keys into memory, in one go, and let others leave it.

        Raises whatever ``load`` raises; then nothing has changed.
        """
        known = ((key, self._index.get(key)) for key in wanted)
        missing = {key: kept.number for key, kept in known if kept and kept.model is None}
        if missing:
            self._bring(missing)
        self._make_room(wanted)

    def begin(self, key: str, model: Any, probe: Features) -> KeyModel:
        """Give a key its first model, which has learned nothing of the key's own yet."""
        kept = KeyModel(0, 0, 0, None)
        kept.model, kept.probe = model, probe
        self._index[key] = kept
        self._held[key] = None
        self.made += 1
        return kept

    def touch(self, key: str, kept: KeyModel) -> None:
        """Take note that a key's model is about to learn."""
        self._turn += 1
        kept.turn = self._turn
        self._index.move_to_end(key)
        self._changed[key] = None
        if kept.mark is not None:
            self._marks -= kept.mark
            kept.mark = None
        self._unmarked[key] = None

    def shrink(self) -> None:
        """Forget the keys that are too many."""
        while len(self._index) > self.max_keys:
            key, kept = self._index.popitem(last=False)
            self._held.pop(key, None)
            self._changed.pop(key, None)
            self._unmarked.pop(key, None)
            self._marks -= kept.mark or 0
            if kept.number:
                self._gone[key] = None
            self.forgotten += 1

    def sum(self) -> KeySum:
        """Return what all keys come to: equal for equal histories, wherever the models are."""
        for key in self._unmarked:
            kept = self._index[key]
            kept.mark = self._mark(key, kept)
            self._marks += kept.mark
        self._unmarked.clear()
        return KeySum(len(self._index), self._marks % MODULUS)

    def changes(self) -> KeyWrite:
        """Return what changed since the last checkpoint; nothing is taken note of."""
        self.sum()
        return KeyWrite([self._row(key) for key in self._changed], [*self._gone])

    def committed(self, change: KeyWrite, number: int) -> None:
        """Take note that changes stand in a checkpoint of a number."""
        self.crowded += self.is_full
        for row in change.rows:
            self._index[row.key].number = number
        self._changed.clear()
        self._gone.clear()
        self._make_room(())

    def restore(self, rows: Sequence[KeyRow], told: Mapping[str, int]) -> None:
        """Begin with the rows of a checkpoint, by turn, and what ``told`` said beside them."""
        for row in rows:
            self._index[row.key] = KeyModel(row.learned, row.turn, row.number, row.mark)
        self._marks = sum(row.mark for row in rows)
        self.made, self.forgotten, self._turn = told["made"], told["forgotten"], told["turn"]

    def told(self) -> dict[str, int]:
        """Return what ``restore`` wants beside the rows."""
        return {"made": self.made, "forgotten": self.forgotten, "turn": self._turn}

    def keys(self) -> Iterable[str]:
        """Return all keys, the one that learned longest ago first."""
        return self._index.keys()

    def _bring(self, missing: Mapping[str, int]) -> None:
        if self.load is None:
            raise LookupError(f"{len(missing)} models of keys are not in memory")
        found = self.load(missing)
        for key in missing:
            kept = self._index[key]
            # What was loaded had its seal checked by the store.
            kept.model, kept.probe = pickle.loads(found[key])  # noqa: S301
            self._held[key] = None
        self.loads += len(missing)

    def _make_room(self, wanted: Collection[str]) -> None:
        over = len(self._held) - self.in_memory
        if over <= 0 or self.load is None:
            return
        stays = set(wanted)
        for key in list(self._held):
            kept = self._index[key]
            if key in self._changed or key in stays or not kept.number:
                continue
            kept.model = kept.probe = None
            del self._held[key]
            self.spills += 1
            over -= 1
            if not over:
                break

    def _row(self, key: str) -> KeyRow:
        kept = self._index[key]
        data = pickle.dumps((kept.model, kept.probe), 5)
        return KeyRow(key, 0, kept.learned, kept.turn, kept.mark or 0, data)

    def _mark(self, key: str, kept: KeyModel) -> int:
        try:
            said = self._say(kept.model, kept.probe or {})
        except Exception as error:  # noqa: BLE001 (a probe that the model refuses is what it does)
            said = type(error).__name__
        text = _encode((key, kept.learned, kept.turn, said))
        return int.from_bytes(blake2b(text, digest_size=8).digest(), "big") % MODULUS
