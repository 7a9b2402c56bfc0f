"""The newest predictions of all shards of a divided stream."""

from __future__ import annotations

from threading import Lock

import msgspec

from serve.api.recent.kept import KeptPredictions, KeptView, Verdict
from stream.config import Config
from stream.events import Features
from stream.recent import Known
from stream.sharding.names import shard_number
from stream.storage.store import SHARD, Store


class KeptShards:
    """Reads what the workers keep of each shard, and puts it in one order.

    Each shard numbers its predictions. The n-th of shard s of k has the number ``n * k + s`` here,
    so that shards alternate and numbers only rise.

    Parameters
    ----------
    store
        Only read.
    config
        The stream's.
    """

    def __init__(self, store: Store, config: Config) -> None:
        self._store = store
        self._config = config
        self._shards: dict[str, KeptPredictions] = {}
        self._views: list[KeptView] = []
        self._view = KeptView(0, {}, {}, {})
        self._lock = Lock()

    def view(self) -> KeptView:
        """Return what is kept now. Blocks: call it in a thread.

        Raises
        ------
        StoreError
        """
        with self._lock:
            names = [name for name in self._store.sharding.names() if name != SHARD]
            for name in names:
                if name not in self._shards:
                    store = self._store.of_shard(name)
                    self._shards[name] = KeptPredictions(store, self._config)
            views = [self._shards[name].view() for name in names]
            if [id(one) for one in views] != [id(one) for one in self._views]:
                self._views = views
                self._view = _merged(dict(zip(map(shard_number, names), views, strict=True)))
            return self._view

    def features_of(self, value: bytes) -> Features:
        """Return the features that the model saw of an event's JSON."""
        return KeptPredictions(self._store, self._config).features_of(value)


def _merged(views: dict[int, KeptView]) -> KeptView:
    count = max(views, default=0) + 1
    known: dict[int, Known] = {}
    verdicts: dict[int, Verdict] = {}
    newest: dict[str, int] = {}
    for shard, view in views.items():
        for number, one in view.known.items():
            known[number * count + shard] = msgspec.structs.replace(
                one, number=number * count + shard
            )
        verdicts |= {number * count + shard: found for number, found in view.verdicts.items()}
        newest |= {id_: number * count + shard for id_, number in view.newest.items()}
    made = sum(view.made for view in views.values())
    return KeptView(made, dict(sorted(known.items())), verdicts, newest)
