"""One stream as the API serves it: its model, its log, and what keeps either from working."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from threading import BoundedSemaphore
from typing import Any

from serve.api.event_reader import EventReader
from serve.api.explainer import Explainer
from serve.api.inference_log import InferenceLog
from serve.api.lag import LagWatch
from serve.api.model_holder import ModelHolder
from serve.api.monitoring.reader import HistoryReader
from serve.api.predicting.memory import AnswerMemory
from serve.api.problems import ProblemError, problem_of
from serve.api.recent.kept import Kept, KeptPredictions
from serve.api.recent.kept_shards import KeptShards
from serve.shards import status_of_shards, status_of_whole
from stream.clock import Clock
from stream.config import Config
from stream.errors import LogUnreachableError, RecordTooLargeError, TopicNotFoundError
from stream.log import Log
from stream.records import NewRecord, TopicPartition
from stream.storage.identity import identity_of
from stream.storage.store import Store

_APPEND_SECONDS = 30.0
_MAX_APPENDS = 64
_RETRY = {"Retry-After": "1"}


class ServedStream:
    """Everything that requests about one stream need.

    Parameters
    ----------
    config
        The stream's configuration.
    log
        Events and labels are appended to it; closed by whoever opened it.
    store
        Only read; closed by whoever opened it.
    clock
        Tells event times where they are missing, and ages.
    poll_seconds
        Between two looks for a newer model.

    Attributes
    ----------
    answered
        Predictions given since the start.
    refused, flagged
        Events that the schema called an error and were refused, or whose answer has flags.
    waiting
        Requests that wait for a newer model.
    memory
        Recorded answers by id.
    explainer
        Explains predictions beside the event loop.
    history
        Reads what the monitor left in the store.
    log
        As given.
    kept
        The newest predictions, out of the store.
    lag
        How far the worker is behind the log.

    Raises
    ------
    LogUnreachableError
        When the log cannot be written.
    """

    def __init__(
        self, config: Config, log: Log, store: Store, clock: Clock, *, poll_seconds: float = 0.5
    ) -> None:
        name = config.stream.name
        self.config = config
        self.name = name
        self.clock = clock
        self.answered = 0
        self.refused = 0
        self.flagged = 0
        self.waiting = 0
        api = config.api
        self.memory = AnswerMemory(api.remembered, api.remembered_file, name)
        self.reader = EventReader(config)
        self.models = ModelHolder(
            store,
            identity_of(config),
            name,
            poll_seconds=poll_seconds,
            is_divided=config.stream.shards == "partition",
            share=config.model.share,
        )
        self.history = HistoryReader(store, config)
        whole = config.stream.shards == "all"
        self.kept: Kept = KeptPredictions(store, config) if whole else KeptShards(store, config)
        self.explainer = Explainer(store, self.models)
        self.log = log
        self._sink = log.sink()
        self.recorder = InferenceLog(
            self._sink,
            api.queue,
            probe=self._probe_log,
            stream=name,
            shed=api.shed,
            dropped=self._forget,
            durable=self._recorded if api.remembered_file else None,
        )
        topics = [config.events_topic, config.labels_topic]
        self.lag = LagWatch(log, topics, self._offsets, name)
        self._appends = BoundedSemaphore(_MAX_APPENDS)

    def start(self) -> None:
        """Load the newest model and begin the background work. Blocks for both exchanges.

        Raises
        ------
        AnswersFileError
        """
        self.memory.open()
        self.models.start()
        self.recorder.start()
        self.history.start()
        self.explainer.start()
        self.lag.start()

    def stop(self, grace_seconds: float) -> None:
        """Stop the background work; what waits to be recorded has so long. May be repeated."""
        self.lag.stop()
        self.explainer.stop()
        self.history.stop()
        self.models.stop()
        self.recorder.stop(grace_seconds)
        self.memory.close()

    def now_ms(self) -> int:
        """Return the milliseconds since the epoch."""
        return round(self.clock.now() * 1000)

    @property
    def status(self) -> dict[str, Any]:
        """What the worker said last; of a divided stream what its shards add up to. May be {}."""
        if self.models.shards:
            now = self.clock.now()
            added_up = status_of_shards(self.config, self.models.shards, now)
            return added_up | status_of_whole(self.models.newest, now)
        return {} if self.models.newest is None else self.models.newest.status

    @property
    def checkpointed_at(self) -> float | None:
        """When the newest checkpoint was made; of a divided stream, by the shard that lags most."""
        found = [shard.newest for shard in self.models.shards] or [self.models.newest]
        return min((stored.created_at for stored in found if stored is not None), default=None)

    def parts(self) -> dict[str, str]:
        """Return how each part that the stream needs is: ``ok``, or what is wrong with it."""
        model = "ok" if self.models.live is not None else "none yet"
        return {
            "store": self.models.store_trouble or "ok",
            "model": self.models.trouble or model,
            "log": self.recorder.trouble or "ok",
        }

    def append(self, records: Sequence[NewRecord]) -> list[tuple[TopicPartition, int]]:
        """Append records and wait until they are durable; return where they stand.

        Blocks: call it in a thread.

        Raises
        ------
        ProblemError
            413 where one is too large, 503 where the log does not take them.
        """
        if not self._appends.acquire(blocking=False):
            detail = f"{_MAX_APPENDS} requests wait for the log of {self.name!r}; try again"
            raise ProblemError(problem_of(503, "log_busy", detail), _RETRY)
        try:
            return self._sink.append(records).offsets(_APPEND_SECONDS)
        except RecordTooLargeError as error:
            raise ProblemError(problem_of(413, "too_large", str(error))) from None
        except (LogUnreachableError, TopicNotFoundError) as error:
            detail = (
                f"{error}. What was sent may stand on the log or not; sending it again is safe: "
                "an id is learned from once"
            )
            raise ProblemError(problem_of(503, "log_unreachable", detail), _RETRY) from None
        finally:
            self._appends.release()

    def _forget(self, record: NewRecord) -> None:
        if record.key is not None:
            self.memory.forget(record.key.decode())

    def _recorded(self, records: Sequence[NewRecord]) -> None:
        self.memory.recorded([record.key.decode() for record in records if record.key is not None])

    def _offsets(self) -> dict[str, int]:
        found = [self.models.newest, *(shard.newest for shard in self.models.shards)]
        return {
            place: offset
            for stored in found
            if stored is not None
            for place, offset in stored.offsets.items()
        }

    def _probe_log(self) -> None:
        known = self.log.topics()
        for topic in (self.config.events_topic, self.config.labels_topic):
            if topic not in known:
                raise TopicNotFoundError(topic, self.log.url, list(known))


class Streams:
    """The streams of an API, by name.

    Parameters
    ----------
    streams
        One or more, no two with the same name.
    """

    def __init__(self, streams: Sequence[ServedStream]) -> None:
        self._by_name = {stream.name: stream for stream in streams}
        if len(self._by_name) < len(streams):
            names = [stream.name for stream in streams]
            raise ValueError(f"two streams have the same name: {names}")

    def __iter__(self) -> Iterator[ServedStream]:
        return iter(self._by_name.values())

    def find(self, name: str) -> ServedStream:
        """Return a stream, or end the request with a problem that names those there are."""
        stream = self._by_name.get(name)
        if stream is None:
            known = sorted(self._by_name)
            detail = f"there is no stream {name[:100]!r}; served here: {', '.join(known)}"
            raise ProblemError(problem_of(404, "unknown_stream", detail, known=known))
        return stream
