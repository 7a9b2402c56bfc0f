"""Who averages: one worker of those that share a stream, as long as it holds the lease."""

from __future__ import annotations

from contextlib import suppress
from threading import Event, Thread

import structlog

from stream.checkpoint import ADOPTED_PART, MODEL_PART
from stream.clock import Clock
from stream.config import Config
from stream.errors import StoreError
from stream.sharding.averaging.average import KIND, Average, Own, averaged, decode, encode, own
from stream.snapshot import load_adopted, load_learner
from stream.storage.sharding import Shard
from stream.storage.store import SHARD, Store

_log = structlog.get_logger("riverrun.shards")

LEASE = "average"
LEASE_SECONDS = 10.0
_LOOK_SECONDS = 1.0


class Merger:
    """Averages the shards' newest checkpoints, when they have learned enough since the last time.

    Parameters
    ----------
    config
        The stream's.
    store
        Read for checkpoints; the averages are published there.
    holder
        This process, unlike any other.
    clock
        Of the lease, where the database has none; and for what is written down.

    Notes
    -----
    Where two believe to hold the lease, both come to the same number, and the first one counts.
    """

    def __init__(self, config: Config, store: Store, holder: str, clock: Clock) -> None:
        self._every = config.model.average_every
        self._keep = config.model.averages_kept
        self._store = store
        self._holder = holder
        self._clock = clock
        self._number = 0
        self._before = Average()
        self._stopping = Event()
        self._thread: Thread | None = None

    def start(self) -> None:
        """Look once a second, in a thread."""
        self._thread = Thread(target=self._run, name="riverrun-average", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Look no more, and let another one average at once. May be called twice."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
            with suppress(StoreError):
                self._store.leases.leave(self._holder)

    def tick(self) -> bool:
        """Average where it is due and this process is the one to do it; return whether it did.

        Raises
        ------
        StoreUnreachableError
        CheckpointDamagedError
            Where the average before, or a shard's newest checkpoint, does not fit its seal.
        """
        if not self._store.leases.hold(LEASE, self._holder, LEASE_SECONDS, self._clock.now()):
            return False
        self._follow()
        begun = [one for one in self._store.sharding.all() if one.name != SHARD and one.newest]
        learned = sum(_learned(shard) for shard in begun)
        if learned - sum(one.learned for one in self._before.shards.values()) < self._every:
            return False
        found = {shard.name: self._own(shard) for shard in begun}
        shards = {name: one for name, one in found.items() if one is not None}
        following = averaged(self._before, shards)
        if following is None:
            return False
        return self._publish(following)

    def _follow(self) -> None:
        """Have the newest average at hand, whoever made it."""
        number = self._store.shared.numbers().get(KIND, 0)
        if number == self._number:
            return
        newest = self._store.shared.get(KIND, number)
        self._before = Average() if newest is None else decode(newest.data)
        self._number = number

    def _own(self, shard: Shard) -> Own | None:
        """Return what a shard has learned by itself; None where its checkpoint was replaced."""
        newest, store = shard.newest, self._store.of_shard(shard.name)
        assert newest is not None  # noqa: S101 - the caller saw to it
        # In this order: the parts of a checkpoint go together, and where the model is still there
        # a shard without the other has adopted nothing.
        part = store.load_part(newest, ADOPTED_PART)
        model = store.load_part(newest, MODEL_PART)
        if model is None:
            return None
        others = None if part is None else load_adopted(part)["kept"].get(KIND)
        return own(load_learner(model), _learned(shard), others)

    def _publish(self, following: Average) -> bool:
        number = self._number + 1
        detail = {"learned": {name: one.learned for name, one in following.shards.items()}}
        now = self._clock.now()
        if not self._store.shared.publish(KIND, number, encode(following), detail, now):
            return False
        self._number, self._before = number, following
        self._store.shared.forget(KIND, self._keep)
        _log.info("averaged", number=number, **detail)
        return True

    def _run(self) -> None:
        trouble: str | None = None
        while not self._stopping.wait(_LOOK_SECONDS):
            try:
                self.tick()
            except StoreError as error:
                if str(error) != trouble:
                    _log.error("not_averaged", reason=str(error))
                trouble = str(error)
            else:
                trouble = None


def _learned(shard: Shard) -> int:
    return 0 if shard.newest is None else int(shard.newest.status["counts"]["learned"])
