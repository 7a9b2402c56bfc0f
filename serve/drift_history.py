"""What the past looks like to the tests of today: any span of stored panes against any reference.

Panes add up, so that a span is tested without the raw data. API and ``riverrun drift`` ask here.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from threading import Lock
from typing import NamedTuple

from monitor.errors import DamagedError
from monitor.layout import Layout, Role
from monitor.panes import Pane
from monitor.reference import Reference
from monitor.report import SkewReport
from monitor.schema import Schema
from monitor.schema_text import schema_from_toml
from monitor.skew import SkewTest
from serve.column_history import ColumnTest
from serve.stored_monitor import pane_of, read_view
from stream.config import Config
from stream.errors import CheckpointDamagedError, InputError
from stream.storage.store import Store
from stream.watching.monitor_config import monitor_config
from stream.watching.state import read_reference

LAYOUTS_MAX = 16
TESTS_MAX = 4
"""Calibrated tests that are kept: one of 500 features takes tens of megabytes and seconds."""


class UnknownVersionError(InputError):
    """No reference is stored under a version.

    Parameters
    ----------
    version
        The one asked for.
    known
        Those there are, oldest first.
    """

    def __init__(self, version: str, known: list[str]) -> None:
        self.version = version
        self.known = known
        there = f"there are: {', '.join(known)}" if known else "none is stored yet: the warm-up"
        super().__init__(f"there is no reference of version {version[:100]!r}; {there}")


class NoPanesError(InputError):
    """No pane lies in the span, or none that can be compared with the reference."""


class Held(NamedTuple):
    """A reference as it was read, so that one answer is about one reference.

    Parameters
    ----------
    version, reference
        Whose it is, and what it is.
    key
        Digest of its bytes.
    """

    version: str
    reference: Reference
    key: str


@dataclass(frozen=True)
class SpanDrift:
    """The test of one span of the past.

    Parameters
    ----------
    version
        Whose reference the span was compared with.
    reference
        That reference.
    pane
        The panes of the span, merged.
    panes
        How many these are.
    skipped
        Panes in the span that were counted with another layout than the reference, and so cannot
        be compared with it.
    first, last
        Smallest and largest event time, in seconds since the epoch.
    report
        What the tests say; the length of its span is ``panes``.
    schema
        The newest one, None where there is none.
    """

    version: str
    reference: Reference
    pane: Pane
    panes: int
    skipped: int
    first: float
    last: float
    report: SkewReport
    schema: Schema | None


class DriftHistory:
    """Merges stored panes and tests them. Every method blocks for the store; any thread may call.

    Parameters
    ----------
    store
        Only read.
    config
        The stream's.
    """

    def __init__(self, store: Store, config: Config) -> None:
        self._store = store
        self._monitor = monitor_config(config.monitor, config.retrain)
        self._tests: OrderedDict[str, SkewTest] = OrderedDict()
        self._layouts: dict[str, Layout] = {}
        self._testing = Lock()

    def span(
        self,
        start: float | None,
        end: float | None,
        against: str | None = None,
        *,
        last: int | None = None,
    ) -> SpanDrift:
        """Test the panes of a span together.

        The budget is that of a single pane, and the guard against autocorrelation that of the
        longest configured span which is not longer than this one.

        Parameters
        ----------
        start, end
            Event time in seconds since the epoch: panes that overlap [start, end).
        against
            A version that has a reference; default that of the newest checkpoint.
        last
            Only the newest so many of these panes; default all.

        Raises
        ------
        NoPanesError
            No pane lies there, or none of the reference's layout.
        UnknownVersionError
            The version has no reference.
        CheckpointDamagedError
            The reference, or a pane, is damaged.
        StoreUnreachableError
        """
        return self.span_against(self.hold(against), start, end, last=last)

    def span_against(
        self, held: Held, start: float | None, end: float | None, *, last: int | None = None
    ) -> SpanDrift:
        """Test the panes of a span together; as ``span``, against a reference that is held."""
        pane, panes, skipped = self._merged(start, end, held.reference, last)
        if not panes:
            raise self._nothing(start, end, held.version, skipped)
        return SpanDrift(
            version=held.version,
            reference=held.reference,
            pane=pane,
            panes=panes,
            skipped=skipped,
            first=pane.first,
            last=pane.last,
            report=self._report(held, pane, panes),
            schema=self.schema(),
        )

    def hold(self, version: str | None = None) -> Held:
        """Return the reference of a version, by default that of the newest checkpoint.

        Raises
        ------
        NoPanesError
            There is no checkpoint yet.
        UnknownVersionError, CheckpointDamagedError, StoreUnreachableError
        """
        if version is None:
            newest = self._store.newest()
            if newest is None:
                raise NoPanesError("there is no checkpoint yet; start a worker: 'riverrun worker'")
            version = newest.version
        data = self._store.history.reference(version)
        if data is None:
            raise UnknownVersionError(version, self._store.history.versions())
        key = sha256(data).hexdigest()
        with self._testing:
            known = self._tests.get(key)
        try:
            reference = read_reference(data) if known is None else known.reference
        except DamagedError as error:
            reason = f"the reference of {version} is damaged: {error}"
            raise CheckpointDamagedError(reason) from None
        return Held(version, reference, key)

    def schema(self) -> Schema | None:
        """Return the schema of the newest checkpoint; None during the warm-up.

        Raises
        ------
        CheckpointDamagedError, StoreUnreachableError
        """
        _, view = read_view(self._store)
        return None if view is None or view.schema is None else schema_from_toml(view.schema)

    def column_test(self, held: Held, role: Role, name: str) -> ColumnTest:
        """Return the test of one column of a reference, for panes one by one.

        Parameters
        ----------
        held
            The reference.
        role, name
            A column that it has.
        """
        with self._testing:
            return ColumnTest(self._test(held), held.reference.layout.index[role, name])

    @property
    def spans(self) -> tuple[int, ...]:
        """Lengths in panes of the spans that the worker tests."""
        return self._monitor.skew.spans

    def layouts(self, wanted: Iterable[tuple[str, str]]) -> dict[str, Layout]:
        """Return the layouts that panes were counted with, as far as a reference still has them.

        Parameters
        ----------
        wanted
            Version and fingerprint, as in the rows of panes.

        Returns
        -------
        dict
            By fingerprint. Missing are those whose reference is gone or damaged.
        """
        found: dict[str, Layout] = {}
        for version, fingerprint in dict.fromkeys(wanted):
            if fingerprint not in self._layouts:
                try:
                    layout = self.hold(version).reference.layout
                except (CheckpointDamagedError, UnknownVersionError):
                    continue
                if len(self._layouts) >= LAYOUTS_MAX:
                    self._layouts.clear()
                self._layouts[layout.fingerprint] = layout
            if (known := self._layouts.get(fingerprint)) is not None:
                found[fingerprint] = known
        return found

    def _merged(
        self, start: float | None, end: float | None, reference: Reference, last: int | None
    ) -> tuple[Pane, int, int]:
        pane, panes, skipped = Pane(), 0, 0
        for stored in self._store.history.each(start, end, last=last, scores=False):
            if stored.row.layout == reference.layout.fingerprint:
                pane += pane_of(stored, reference.layout.cells)
                panes += 1
            else:
                skipped += 1
        return pane, panes, skipped

    def _report(self, held: Held, pane: Pane, panes: int) -> SkewReport:
        # One at a time: a test keeps what it calibrated, and does so without a lock of its own.
        with self._testing:
            test = self._test(held)
            span = max((n for n in test.spans if n <= panes), default=min(test.spans))
            report = test.report({span: pane})
        columns = tuple(replace(column, span=panes) for column in report.columns)
        return replace(report, columns=columns)

    def _test(self, held: Held) -> SkewTest:
        """Return the very test that the worker makes of a reference."""
        test = self._tests.pop(held.key, None)
        if test is None:
            panes = self._monitor.panes
            events = panes.events if panes.seconds is None else None
            test = SkewTest(held.reference, self._monitor.skew, pane_events=events)
        self._tests[held.key] = test
        while len(self._tests) > TESTS_MAX:
            self._tests.popitem(last=False)
        return test

    def _nothing(
        self, start: float | None, end: float | None, version: str, skipped: int
    ) -> NoPanesError:
        if skipped:
            return NoPanesError(
                f"all {skipped:,} panes there were counted with other bins than the reference of "
                f"{version}; compare them with a version of their time: "
                f"{', '.join(self._store.history.versions())}"
            )
        stored = self._store.history.extent()
        if stored is None:
            return NoPanesError("no pane is closed yet: there is nothing to compare")
        wanted = f"{_shown(start, 'the beginning')} and {_shown(end, 'now')}"
        there = f"{_shown(stored[0])} to {_shown(stored[1])}"
        return NoPanesError(f"no pane lies between {wanted}; panes are stored from {there}")


def _shown(seconds: float | None, otherwise: str = "") -> str:
    if seconds is None:
        return otherwise
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    except (OverflowError, ValueError, OSError):
        return f"{seconds:g} s"
