"""Starting: from the newest checkpoint that is whole, of this pipeline, and still on the log."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import structlog

from stream.config import Config
from stream.errors import (
    CheckpointDamagedError,
    HaltedError,
    OffsetExpiredError,
    OffsetTruncatedError,
    TopicReplacedError,
)
from stream.keys.on_line import load_from
from stream.line import Line
from stream.log import Bounds, Source
from stream.records import Offsets, TopicPartition
from stream.snapshot import restore
from stream.storage.identity import why_unreadable
from stream.storage.store import Claim, Identity, Store, StoredCheckpoint

_log = structlog.get_logger("riverrun.recovery")


class Recovered(msgspec.Struct, frozen=True):
    """Where a worker starts.

    Parameters
    ----------
    line
        The state.
    restored
        Whether it came from a checkpoint; otherwise the first commit replaces what is stored.
    reason
        Why its version exists, for the first checkpoint of a version.
    silent_until
        Offsets below which everything was published before.
    changed
        Whether the configuration has another pipeline than the one that learned.
    """

    line: Line
    restored: bool
    reason: str
    silent_until: Offsets
    changed: bool = False


class Recovery:
    """Finds where to start, and says loudly what it had to pass over.

    Parameters
    ----------
    config
        The configuration.
    store, claim
        The store, and the right to write it.
    source
        Positioned when ``start`` returns.
    identity
        What this process would write.
    make_line
        Makes a line that has learned nothing, of a version.
    now
        Seconds since the epoch, for what is written down.

    Attributes
    ----------
    topics
        What tells each topic of the source from one that is made later under its name.
    """

    def __init__(
        self,
        config: Config,
        store: Store,
        claim: Claim,
        source: Source,
        *,
        identity: Identity,
        make_line: Callable[[str], Line],
        now: float,
    ) -> None:
        self._config = config
        self._store = store
        self._claim = claim
        self._source = source
        self._identity = identity
        self._make_line = make_line
        self._now = now
        self.topics = source.identities()

    def start(self, rebuild: bool) -> Recovered:
        """Return the state to go on from, and seek the source to it.

        Parameters
        ----------
        rebuild
            Learn everything anew from the log, whatever is stored.

        Raises
        ------
        HaltedError, CheckpointDamagedError, OffsetExpiredError, OffsetTruncatedError
            When going on would skip, repeat or mix something.
        """
        recovered = self._find(rebuild)
        load_from(recovered.line, self._store.key_models.load)
        return recovered

    def _find(self, rebuild: bool) -> Recovered:
        kept = self._store.checkpoints()
        if not kept:
            self._source.seek({})
            return Recovered(self._make_line("v1"), False, "the first of this stream", {})
        if rebuild:
            return self._rebuild(kept[0], "asked for with --rebuild")
        self._refuse_another_pipeline(kept[0])
        if (reason := why_unreadable(kept[0].identity, self._identity)) is not None:
            self._refuse_another_log(kept[0])
            return self._rebuild(kept[0], reason)
        return self._newest_that_fits(kept)

    def _newest_that_fits(self, kept: list[StoredCheckpoint]) -> Recovered:
        bounds = self._source.bounds()
        damaged: CheckpointDamagedError | None = None
        truncated: OffsetTruncatedError | None = None
        for stored in kept:
            offsets = _parsed(stored.offsets)
            if (beyond := _beyond_the_end(offsets, bounds)) is not None:
                truncated = beyond
                self._tell("log_truncated", checkpoint=stored.number, message=str(beyond))
                continue
            self._refuse_another_log(stored)
            try:
                snapshot, chunks = self._store.load(stored)
            except CheckpointDamagedError as error:
                damaged = error
                self._tell("checkpoint_damaged", checkpoint=stored.number, message=str(error))
                continue
            line = self._make_line(stored.version)
            try:
                restore(line, snapshot, chunks)
            except Exception as error:  # noqa: BLE001 - unpickling may raise anything
                return self._rebuild(kept[0], self._unloadable(stored, error))
            if stored.number != kept[0].number:
                self._store.go_back_to(self._claim, stored.number)
                self._tell("went_back", checkpoint=stored.number, newest=kept[0].number)
            self._seek(line, bounds)
            changed = stored.identity.fingerprint != self._identity.fingerprint
            return Recovered(line, True, "", {}, changed)
        if truncated is not None:
            raise truncated
        raise CheckpointDamagedError(
            f"{damaged}; none of the {len(kept)} kept checkpoints is whole. Start with --rebuild "
            "to learn everything anew from the log"
        )

    def _seek(self, line: Line, bounds: dict[TopicPartition, Bounds]) -> None:
        """Continue at the line's offsets; jump over what expired only where that is allowed."""
        for place, offset in line.offsets.items():
            earliest = bounds[place].earliest
            if offset < earliest:
                gap = OffsetExpiredError(str(place), offset, earliest)
                if self._config.stream.on_gap == "halt":
                    raise gap
                self._tell("gap", partition=str(place), first=offset, last=earliest - 1)
                line.offsets[place] = earliest
        self._source.seek(line.offsets)

    def _rebuild(self, newest: StoredCheckpoint, reason: str) -> Recovered:
        runs, versions = self._store.runs.last()
        version = f"v{max(versions, int(newest.version.removeprefix('v'))) + 1}"
        self._source.seek({})
        bounds = self._source.bounds()
        missing = {str(tp): held.earliest for tp, held in bounds.items() if held.earliest > 0}
        self._tell("rebuild", version=version, reason=reason, expired_below=missing)
        line = self._make_line(version)
        if line.lifecycle is not None:
            line.lifecycle.runs = runs
        replaced = self._replaced(newest)
        published = {
            place: min(offset, bounds[place].end)
            for place, offset in _parsed(newest.offsets).items()
            if place in bounds and place.topic not in replaced
        }
        return Recovered(line, False, f"rebuilt: {reason}", published)

    def _refuse_another_log(self, stored: StoredCheckpoint) -> None:
        for topic in self._replaced(stored):
            error = TopicReplacedError(topic, "since the last checkpoint")
            self._tell("log_replaced", checkpoint=stored.number, message=str(error))
            raise error

    def _replaced(self, stored: StoredCheckpoint) -> list[str]:
        """Return the topics made anew since: their offsets are those of other records."""
        known: dict[str, str] = stored.status.get("topics") or {}
        return [topic for topic, found in self.topics.items() if known.get(topic, found) != found]

    def _refuse_another_pipeline(self, newest: StoredCheckpoint) -> None:
        """Refuse what cannot go on; another pipeline can, as a challenger, where that is wanted."""
        theirs, ours = newest.identity, self._identity
        retrain = self._config.retrain
        if theirs.fingerprint == ours.fingerprint:
            return
        may_change = retrain.enabled and retrain.change
        if theirs.reads == ours.reads and may_change and self._config.stream.shards == "all":
            return
        raise HaltedError(
            f"the store holds {newest.version} of {self._config.stream.name!r}, which was "
            "learned with another pipeline, task, metrics or event mapping than the "
            "configuration now says. Put the old configuration back, give the stream another "
            "name, or start with --rebuild to learn everything anew from the log (a pipeline "
            "alone may change where retrain.change is on: it becomes a challenger)"
        )

    def _unloadable(self, stored: StoredCheckpoint, error: Exception) -> str:
        """Return why a whole checkpoint does not load: since something else reads it.

        Raises
        ------
        HaltedError
            Where nothing else that is known of does: a replay would not be the answer.
        """
        theirs, ours = stored.identity.libraries, self._identity.libraries
        other = [
            f"{name} {theirs.get(name)} became {version}"
            for name, version in ours.items()
            if theirs.get(name) != version
        ]
        if not other:
            raise HaltedError(
                f"checkpoint {stored.number} is whole and does not load ({error!r}), with the "
                "libraries that wrote it. Does a package of your own pipeline lack? Put it back, "
                "or start with --rebuild to learn everything anew from the log"
            ) from error
        return f"{', '.join(other)}, and its checkpoint does not load: {error!r}"

    def _tell(self, kind: str, **detail: object) -> None:
        _log.warning(kind, **detail)
        self._store.record(kind, detail, self._now)


def _parsed(offsets: dict[str, int]) -> Offsets:
    return {TopicPartition.parse(place): offset for place, offset in offsets.items()}


def _beyond_the_end(
    offsets: Offsets, bounds: dict[TopicPartition, Bounds]
) -> OffsetTruncatedError | None:
    for place, offset in offsets.items():
        end = bounds[place].end if place in bounds else 0
        if offset > end:
            return OffsetTruncatedError(str(place), offset, end)
    return None
