"""The model that answers: the newest checkpoint's, verified, swapped in while requests run."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event, Lock, Thread

import structlog

from serve.api.live_model import Live, LiveShards, LiveVote
from serve.api.model_loader import ModelLoader
from serve.api.predicting.served_keys import ServedKeys
from stream.errors import StoreError
from stream.sections import Share
from stream.sharding.names import shard_number
from stream.storage.outbox import Delivery
from stream.storage.sharding import Shard
from stream.storage.store import SHARD, Identity, Store, StoredCheckpoint

_log = structlog.get_logger("riverrun.api")

_SILENT_SECONDS = 15.0
"""A store that has not answered for so long counts as unreachable."""


class ModelHolder:
    """Looks for newer checkpoints in a thread, and holds the model of the newest that is whole.

    A request takes ``live`` once and uses what it took: a swap replaces the reference, never the
    model. Where the newest checkpoint cannot be used the former model stays, and ``trouble`` says
    why.

    Parameters
    ----------
    store
        Only read.
    identity
        What this process can serve: the pipeline's fingerprint, the format, River's version.
    stream
        Named in logs.
    poll_seconds
        Between two looks at the store.
    is_divided
        Whether the stream's partitions are shards, each with a model of its own.
    share
        How the models of shards are shared.

    Attributes
    ----------
    shards
        Of a divided stream, as of the last look.
    live
        The model that answers, or those of all shards; None before the first.
    newest
        The newest checkpoint's row, whether its model could be loaded or not.
    deliveries
        How each receiver of alerts is doing, by its name.
    swaps
        How often a model was put in place.
    """

    def __init__(
        self,
        store: Store,
        identity: Identity,
        stream: str,
        *,
        poll_seconds: float = 0.5,
        is_divided: bool = False,
        share: Share = "independent",
    ) -> None:
        self.is_divided = is_divided
        self.shards: list[Shard] = []
        self.live: Live | None = None
        self.newest: StoredCheckpoint | None = None
        self.deliveries: dict[str, Delivery] = {}
        self.swaps = 0
        self._store = store
        self._identity = identity
        self._stream = stream
        self._share = share
        self._loaders: dict[str, ModelLoader] = {}
        self._poll_seconds = poll_seconds
        self._log = _log.bind(stream=stream)
        self._listeners: set[Callable[[], None]] = set()
        self._store_trouble: str | None = None
        self._answered_at = time.monotonic()
        self._stopping = Event()
        self._polling = Lock()
        self._thread: Thread | None = None

    @property
    def trouble(self) -> str | None:
        """What keeps the newest model from being served; of a divided stream, of any shard."""
        found = (one.trouble for one in tuple(self._loaders.values()))
        return next((trouble for trouble in found if trouble is not None), None)

    @property
    def store_trouble(self) -> str | None:
        """What keeps the store from being read, or None."""
        silent = time.monotonic() - self._answered_at
        if self._store_trouble is None and silent > _SILENT_SECONDS:
            return f"the store has not answered for {silent:.0f} s"
        return self._store_trouble

    @property
    def keys(self) -> list[ServedKeys]:
        """Models of keys, where the stream has them; of a divided stream those of each shard."""
        return [loader.keys for loader in list(self._loaders.values())]

    def start(self) -> None:
        """Load what is there, and go on looking in a thread. Blocks for the first look."""
        self._stopping.clear()
        self.poll()
        self._thread = Thread(target=self._run, name="riverrun-models", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop looking; the model stays. May be called twice."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout=5)
            self._thread = None

    def listen(self, told: Callable[[], None]) -> None:
        """Call something after each swap, in the thread that looks for newer models."""
        self._listeners.add(told)

    def unlisten(self, told: Callable[[], None]) -> None:
        """Call it no more."""
        self._listeners.discard(told)

    def poll(self) -> None:
        """Look once for another checkpoint than the one that is served, and load it."""
        with self._polling:
            self._poll()

    def _poll(self) -> None:
        try:
            newest = self._store.newest()
            self._note_store(None)
            if self.is_divided:
                self.shards = self._store.sharding.all()
            self.newest = newest
            self.deliveries = self._store.outbox.deliveries()
            if self.is_divided:
                self._follow_shards()
            elif newest is not None:
                self._follow(newest)
        except StoreError as error:
            self._note_store(str(error))
        except Exception as error:  # noqa: BLE001 - a dead thread would serve an old model for ever
            self._log.exception("model_poll_failed")
            self._note_store(f"{type(error).__name__}: {error}")

    def _run(self) -> None:
        while not self._stopping.wait(self._poll_seconds):
            self.poll()

    def _follow(self, newest: StoredCheckpoint) -> None:
        loader = self._loader_of(SHARD)
        if loader.follow(newest):
            self._swap(loader.live)

    def _follow_shards(self) -> None:
        """Load what is new of each shard; a shard whose number is not of this division is none."""
        counts = {shard.name.partition("-of-")[2] for shard in self.shards if shard.name != SHARD}
        if len(counts) != 1 or (count := int(counts.pop())) < 1:
            return
        swapped = False
        for shard in self.shards:
            if shard.newest is not None and shard.name != SHARD:
                swapped |= self._loader_of(shard.name).follow(shard.newest)
        if swapped:
            found = {shard_number(name): one.live for name, one in self._loaders.items()}
            lives = {number: live for number, live in found.items() if live is not None}
            self._swap((LiveVote if self._share == "vote" else LiveShards)(lives, count))

    def _swap(self, live: Live | None) -> None:
        self.live = live
        self.swaps += 1
        for told in tuple(self._listeners):
            told()

    def _loader_of(self, shard: str) -> ModelLoader:
        loader = self._loaders.get(shard)
        if loader is None:
            store = self._store if shard == SHARD else self._store.of_shard(shard)
            loader = ModelLoader(store, self._identity, self._stream, shard)
            self._loaders[shard] = loader
        return loader

    def _note_store(self, trouble: str | None) -> None:
        if trouble is None:
            self._answered_at = time.monotonic()
        if trouble is not None and self._store_trouble is None:
            self._log.error("store_unreachable", reason=trouble)
        elif trouble is None and self._store_trouble is not None:
            self._log.info("store_reachable_again")
        self._store_trouble = trouble
