"""Replay: the records of dead letters are appended again, each at most once however often it runs.

Four things together keep an event from being learned twice:

1. A replay carries the place and time of the first append (``stream/origin.py``), so it has the id
   and the time that the event always had, and the line drops what it has seen of it within
   ``event.dedup_window``.
2. Before a batch is appended, a mark on the dead-letter topic names it (``journal.py``). What is
   marked is not appended again, a day or a year later, when the line has forgotten the id.
3. A batch whose replay was killed is looked for on the log (``landed.py``); only the rest of it is
   appended. While a replay has written within the last seconds, another one waits for it and
   refuses: it may be alive, and what a killed one had handed over may still be on the way.
4. What a rebuild of the model has read again is not appended (``rebuilds.py``).

A letter's record is the one at its *source place*. A replay that fails again stands at another
place, and so makes another letter, which may be replayed again under the same first place.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from uuid import uuid4

import msgspec

from stream.clock import Clock
from stream.config import Config
from stream.dead_letters.journal import Mark, Standing, mark_record
from stream.dead_letters.landed import find_landed
from stream.dead_letters.letter import Letter
from stream.dead_letters.reading import Progress, unseen
from stream.dead_letters.rebuilds import Rebuild
from stream.dead_letters.revival import SKIPPED, Revival, Reviver
from stream.dead_letters.selection import Selection
from stream.dead_letters.topic import DeadLetterTopic
from stream.errors import InputError, RecordTooLargeError, ReplayRunningError
from stream.log import Log, Sink
from stream.origin import Place

_BATCH_RECORDS, _BATCH_BYTES = 500, 4 * 1024 * 1024
_QUIET_SECONDS = 5.0


class Outcome(msgspec.Struct):
    """What a replay did, or would do.

    Parameters
    ----------
    selected
        Letters that were meant.
    replayed
        Records appended; in a plan, those that would be.
    skipped
        How many were not, by reason.
    rejections
        Of those that would only become dead letters again, how many by ``stage/reason``.
    """

    selected: int = 0
    replayed: int = 0
    skipped: Counter[str] = msgspec.field(default_factory=Counter)
    rejections: Counter[str] = msgspec.field(default_factory=Counter)

    def share(self, done: str) -> str:
        """Return how many were replayed, in words: ``3 of 5 dead letters replayed``.

        Parameters
        ----------
        done
            The verb; in a plan another one.
        """
        plural = "s" * (self.selected != 1)
        return f"{self.replayed:,} of {self.selected:,} dead letter{plural} {done}"

    def skips(self) -> list[tuple[int, str]]:
        """Return how many were skipped for which reason, in words that follow "they"."""
        return [(self.skipped[key], why) for key, why in SKIPPED.items() if self.skipped[key]]


class Replay:
    """One replay of some dead letters of a stream.

    Parameters
    ----------
    log, config
        Of the stream.
    selection
        Which letters.
    limit
        How many records to append at most; None: all.
    check
        Whether records that the configuration still refuses are skipped.
    rebuilds
        Rebuilds of the model; what they have read is skipped.
    clock
        For the time of day.
    sleep
        Waits some seconds.

    Raises
    ------
    TopicNotFoundError, LogUnreachableError
    """

    def __init__(
        self,
        log: Log,
        config: Config,
        selection: Selection,
        *,
        limit: int | None,
        check: bool,
        rebuilds: Sequence[Rebuild],
        clock: Clock,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.topic = DeadLetterTopic(log, config.dead_letters_topic)
        self._log = log
        self._source = log.source([config.events_topic, config.labels_topic])
        self._reviver = Reviver(
            config,
            self._source,
            self.topic.journal,
            check=check,
            rebuilds=rebuilds,
            clock=clock,
        )
        self._selection = selection
        self._limit = limit
        self._clock = clock
        self._sleep = sleep
        self._run = uuid4().hex[:12]
        self._batch = 0
        self._partitions: set[int] = set()
        self._open: list[Standing] = []

    def read_marks(self, show: Progress) -> None:
        """Read what was replayed before; to be called first. ``show`` counts offsets.

        Raises
        ------
        InputError
            When a place of the selection holds no dead letter.
        LogError
        """
        missing = set(self._selection.places or ())
        for letter, _ in self.topic.letters(show):
            missing.discard((letter.partition, letter.offset))
        self._open = self.topic.open_marks()
        if missing:
            shown = ", ".join(f"{p}:{o}" for p, o in sorted(missing)[:10])
            raise InputError(
                f"no dead letter at {shown} of {self.topic.topic}; 'riverrun dead-letters list' "
                "shows the places. Nothing was replayed"
            )

    def plan(self, show: Progress) -> Outcome:
        """Return what ``run`` would do now; nothing is written. ``show`` counts offsets.

        Raises
        ------
        LogError
        """
        for standing in self._open:
            self._settle(standing)
        outcome = Outcome()
        for _ in self._chosen(outcome, show):
            pass
        return outcome

    def run(self, should_stop: Callable[[], bool], show: Progress) -> Outcome:
        """Append the records of all selected letters.

        Parameters
        ----------
        should_stop
            Asked after each batch; what was appended until then is marked as done.
        show
            Told how many offsets of the dead-letter topic have been passed.

        Raises
        ------
        ReplayRunningError
            When another replay is at work.
        LogError
            What was marked and not appended is found by the next replay.
        """
        with closing(self._log.sink()) as sink:
            return self._run_through(sink, should_stop, show)

    def _run_through(self, sink: Sink, should_stop: Callable[[], bool], show: Progress) -> Outcome:
        self._finish_others(sink)
        outcome = Outcome()
        batch: list[Revival] = []
        size = 0
        for revival in self._chosen(outcome, show):
            batch.append(revival)
            size += revival.record.size
            if len(batch) >= _BATCH_RECORDS or size >= _BATCH_BYTES:
                self._append(sink, batch, outcome)
                batch, size = [], 0
                if should_stop():
                    break
        if batch:
            self._append(sink, batch, outcome)
        if self._partitions:
            done = Mark(self._run, self._batch, "done")
            self._write(sink, [(done, partition) for partition in sorted(self._partitions)])
        return outcome

    def close(self) -> None:
        """Let go of what is held, but for the log."""
        self.topic.close()
        self._source.close()
        self._reviver.close()

    def _chosen(self, outcome: Outcome, show: Progress) -> Iterator[Revival]:
        self._reviver.begin()
        chosen = 0
        for letter, record in self.topic.letters(show):
            if letter not in self._selection:
                continue
            outcome.selected += 1
            revived = self._reviver.revive(letter, record)
            if isinstance(revived, Revival):
                outcome.replayed += 1
                chosen += 1
                yield revived
                if chosen == self._limit:
                    return
            else:
                outcome.skipped[revived.reason] += 1
                if revived.rejection is not None:
                    outcome.rejections[revived.rejection] += 1

    def _append(self, sink: Sink, batch: list[Revival], outcome: Outcome) -> None:
        """Mark a batch, append it, and wait until it is durable."""
        self._batch += 1
        bounds = self._source.bounds()
        partitions = {revival.letter.source.topic_partition for revival in batch}
        ends = {str(tp): bounds[tp].end for tp in sorted(partitions)}
        marks = []
        for partition in sorted({revival.letter.partition for revival in batch}):
            letters = [r.letter for r in batch if r.letter.partition == partition]
            places, firsts = _places(letters)
            marks.append((Mark(self._run, self._batch, "begin", places, firsts, ends), partition))
        self._partitions |= {partition for _, partition in marks}
        self._write(sink, marks)
        try:
            sink.append([revival.record for revival in batch]).offsets()
        except RecordTooLargeError:
            self._append_singly(sink, batch, marks, outcome)

    def _append_singly(
        self,
        sink: Sink,
        batch: list[Revival],
        marks: list[tuple[Mark, int]],
        outcome: Outcome,
    ) -> None:
        """Append what a batch with too large a record left out, and mark what is there then."""
        _settle_sink(sink)
        there: set[Place] = set()
        for mark, _ in marks:
            there |= find_landed(self._source, mark, unseen).places
        for revival in batch:
            place = revival.letter.source
            if place in there:
                continue
            try:
                sink.append([revival.record]).offsets()
                there.add(place)
            except RecordTooLargeError:
                outcome.replayed -= 1
                outcome.skipped["too_large"] += 1
        _settle_sink(sink)
        self._write(sink, [(mark.landed(there), partition) for mark, partition in marks])

    def _finish_others(self, sink: Sink) -> None:
        """Find out what replays that were killed have appended, and write it down."""
        self.topic.new_marks(unseen)
        # A plan has settled those of before, but only for itself.
        found = {standing.key: standing for standing in (*self._open, *self.topic.open_marks())}
        standings = list(found.values())
        if not standings:
            return
        runs = {standing.mark.run for standing in standings}
        last = max(standing.time for standing in standings)
        quiet = self._clock.now() - last / 1000
        self._sleep(min(_QUIET_SECONDS, max(0.0, _QUIET_SECONDS - quiet)))
        if any(standing.mark.run in runs for standing in self.topic.new_marks(unseen)):
            raise ReplayRunningError(
                f"another replay of {self.topic.topic} is at work: it wrote while this one waited. "
                "Nothing was replayed; run it again when the other one has ended"
            )
        for standing in standings:
            if (mark := self._settle(standing)) is not None:
                self._write(sink, [(mark, standing.partition)])

    def _settle(self, standing: Standing) -> Mark | None:
        found = find_landed(self._source, standing.mark, unseen)
        if not found.is_known:
            return None
        return self.topic.journal.settle(standing, found.places)

    def _write(self, sink: Sink, marks: list[tuple[Mark, int]]) -> None:
        topic = self.topic.topic
        sink.append([mark_record(mark, topic, partition) for mark, partition in marks]).offsets()


def _places(letters: list[Letter]) -> tuple[list[Place], list[Place]]:
    return [letter.source for letter in letters], [letter.first.place for letter in letters]


def _settle_sink(sink: Sink) -> None:
    """Wait until nothing is on the way; that some of it was too large is known already."""
    with suppress(RecordTooLargeError):
        sink.flush()
