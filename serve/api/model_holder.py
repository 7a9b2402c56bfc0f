"""The model that answers: the newest checkpoint's, verified, swapped in while requests run."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Event, Lock, Thread

import structlog

from monitor.judge import EventJudge
from serve.api.predicting.served_keys import ServedKeys
from serve.stored_monitor import read_schema
from stream.checkpoint import MODEL_PART
from stream.errors import CheckpointDamagedError, StoreError
from stream.learner import Learner
from stream.snapshot import load_learner
from stream.storage.outbox import Delivery
from stream.storage.sharding import Shard
from stream.storage.store import Identity, Store, StoredCheckpoint

_log = structlog.get_logger("riverrun.api")

_SILENT_SECONDS = 15.0
"""A store that has not answered for so long counts as unreachable."""


@dataclass(frozen=True, slots=True)
class LiveModel:
    """A model that can answer, and where it comes from.

    Parameters
    ----------
    learner
        Used by one thread, the event loop's: River does not promise that models can be shared.
    number
        Of its checkpoint.
    version
        The model version.
    learned_offset
        How far it has read: the sum of its next offsets.
    created_at
        When the checkpoint was made, in seconds since the epoch.
    offsets
        Next offset to read by partition, named as ``topic-partition``.
    judge
        Says what the monitor would say of an event; None before there is a schema.
    stored
        The checkpoint's row, by which the store finds the rest of it.
    """

    learner: Learner
    number: int
    version: str
    learned_offset: int
    created_at: float
    offsets: Mapping[str, int]
    judge: EventJudge | None
    stored: StoredCheckpoint


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
        Whether the stream's partitions are shards: then there is no model of the whole stream.

    Attributes
    ----------
    shards
        Of a divided stream, as of the last look.
    live
        The model that answers, or None before the first.
    newest
        The newest checkpoint's row, whether its model could be loaded or not.
    deliveries
        How each receiver of alerts is doing, by its name.
    keys
        Models of keys, where the stream has them.
    swaps
        How often a model was put in place.
    trouble, store_trouble
        What keeps the newest model from being served, and the store from being read; None where
        all is well.
    """

    def __init__(
        self,
        store: Store,
        identity: Identity,
        stream: str,
        *,
        poll_seconds: float = 0.5,
        is_divided: bool = False,
    ) -> None:
        self.is_divided = is_divided
        self.shards: list[Shard] = []
        self.live: LiveModel | None = None
        self.newest: StoredCheckpoint | None = None
        self.deliveries: dict[str, Delivery] = {}
        self.swaps = 0
        self.keys = ServedKeys(store.key_models)
        self.trouble: str | None = None
        self._store = store
        self._identity = identity
        self._poll_seconds = poll_seconds
        self._log = _log.bind(stream=stream)
        self._unusable: int | None = None
        self._schema: tuple[str, EventJudge] | None = None
        self._listeners: set[Callable[[], None]] = set()
        self._store_trouble: str | None = None
        self._answered_at = time.monotonic()
        self._stopping = Event()
        self._polling = Lock()
        self._thread: Thread | None = None

    @property
    def store_trouble(self) -> str | None:
        """What keeps the store from being read, or None."""
        silent = time.monotonic() - self._answered_at
        if self._store_trouble is None and silent > _SILENT_SECONDS:
            return f"the store has not answered for {silent:.0f} s"
        return self._store_trouble

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
            if newest is not None:
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
        # Another number, not a higher one: a worker may have gone back to an older checkpoint.
        if self.live is not None and newest.number == self.live.number:
            self._unusable, self.trouble = None, None
        elif newest.number != self._unusable:
            self._take(newest)

    def _take(self, newest: StoredCheckpoint) -> None:
        candidates = [newest]
        if self.live is None:
            candidates = self._store.checkpoints()  # an older one is better than none
        trouble = None
        for stored in candidates:
            reason = self._load(stored)
            if reason is None:
                break
            self._log.error("model_not_loaded", checkpoint=stored.number, reason=reason)
            trouble = trouble or reason
        self._unusable = None if trouble is None else newest.number
        self.trouble = trouble

    def _load(self, stored: StoredCheckpoint) -> str | None:
        """Put a checkpoint's model in place; return the reason where that cannot be."""
        if (reason := self._misfit(stored.identity)) is not None:
            return f"checkpoint {stored.number}: {reason}"
        try:
            part = self._store.load_part(stored, MODEL_PART)
            if part is None:  # replaced since we saw its row: the next look finds the newer one
                return None
            learner: Learner = load_learner(part)
            self.keys.follow(learner, stored.number)
            judge = self._judge(stored)
        except CheckpointDamagedError as error:
            return f"{error}. The model before it goes on answering"
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - unpickling may raise anything
            return f"checkpoint {stored.number}: its model cannot be loaded: {error!r}"
        self.live = LiveModel(
            learner,
            stored.number,
            stored.version,
            sum(stored.offsets.values()),
            stored.created_at,
            stored.offsets,
            judge,
            stored,
        )
        self.swaps += 1
        for told in tuple(self._listeners):
            told()
        self._log.debug("model_swapped", checkpoint=stored.number, version=stored.version)
        return None

    def _judge(self, stored: StoredCheckpoint) -> EventJudge | None:
        """Return what judges events by the checkpoint's schema, made anew only where it changed."""
        read = read_schema(self._store, stored, self._schema and self._schema[0])
        if read is None:
            return None
        text, schema = read
        if schema is not None:
            self._schema = text, EventJudge(schema)
        return self._schema and self._schema[1]

    def _misfit(self, theirs: Identity) -> str | None:
        """Return why this process would serve another model than the worker learned."""
        ours = self._identity
        if theirs.libraries.get("river") != ours.libraries["river"]:
            return (
                f"it was made with River {theirs.libraries.get('river')}, and this API has "
                f"{ours.libraries['river']}; run the same riverrun for worker and API"
            )
        if theirs.format != ours.format:
            return (
                f"it has format {theirs.format}, and this API reads {ours.format}; run the same "
                "riverrun for worker and API"
            )
        if theirs.reads != ours.reads:
            return (
                "it was learned with another pipeline, task, metrics or event mapping than this "
                "API's configuration says; start the API again with the worker's configuration"
            )
        return None

    def _note_store(self, trouble: str | None) -> None:
        if trouble is None:
            self._answered_at = time.monotonic()
        if trouble is not None and self._store_trouble is None:
            self._log.error("store_unreachable", reason=trouble)
        elif trouble is None and self._store_trouble is not None:
            self._log.info("store_reachable_again")
        self._store_trouble = trouble
