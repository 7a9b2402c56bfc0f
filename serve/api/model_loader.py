"""Loading the model of the newest checkpoint that is whole, of a stream or of one shard."""

from __future__ import annotations

import structlog

from monitor.judge import EventJudge
from serve.api.live_model import LiveModel
from serve.api.predicting.served_keys import ServedKeys
from serve.stored_monitor import read_schema
from stream.checkpoint import MODEL_PART
from stream.errors import CheckpointDamagedError, StoreError
from stream.learner import Learner
from stream.snapshot import load_learner
from stream.storage.store import SHARD, Identity, Store, StoredCheckpoint

_log = structlog.get_logger("riverrun.api")


class ModelLoader:
    """Holds the model of the newest checkpoint that could be used.

    Parameters
    ----------
    store
        Of the shard; only read.
    identity
        What this process can serve: the pipeline's fingerprint, the format, River's version.
    stream
        Named in logs.
    shard
        The shard's name.

    Attributes
    ----------
    live
        The model, or None before the first.
    keys
        Models of keys, where the stream has them.
    trouble
        What keeps the newest model from being served; None where all is well.
    """

    def __init__(self, store: Store, identity: Identity, stream: str, shard: str = SHARD) -> None:
        self.live: LiveModel | None = None
        self.keys = ServedKeys(store.key_models)
        self.trouble: str | None = None
        self._store = store
        self._identity = identity
        self._shard = None if shard == SHARD else shard
        self._whose = "" if shard == SHARD else f"shard {shard}: "
        self._log = (
            _log.bind(stream=stream) if shard == SHARD else _log.bind(stream=stream, shard=shard)
        )
        self._unusable: int | None = None
        self._schema: tuple[str, EventJudge] | None = None

    def follow(self, newest: StoredCheckpoint) -> bool:
        """Take the newest checkpoint's model, where it is another; return whether it was taken.

        Raises
        ------
        StoreError
        """
        before = self.live
        # Another number, not a higher one: a worker may have gone back to an older checkpoint.
        if self.live is not None and newest.number == self.live.number:
            self._unusable, self.trouble = None, None
        elif newest.number != self._unusable:
            self._take(newest)
        return self.live is not before

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
            return f"{self._whose}checkpoint {stored.number}: {reason}"
        try:
            part = self._store.load_part(stored, MODEL_PART)
            if part is None:  # replaced since we saw its row: the next look finds the newer one
                return None
            learner: Learner = load_learner(part)
            self.keys.follow(learner, stored.number)
            judge = self._judge(stored)
        except CheckpointDamagedError as error:
            return f"{self._whose}{error}. The model before it goes on answering"
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - unpickling may raise anything
            return f"{self._whose}checkpoint {stored.number}: its model cannot be loaded: {error!r}"
        self.live = LiveModel(
            learner,
            stored.number,
            stored.version,
            sum(stored.offsets.values()),
            stored.created_at,
            stored.offsets,
            judge,
            stored,
            self.keys,
            self._shard,
        )
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
