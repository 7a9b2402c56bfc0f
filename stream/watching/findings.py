"""What the watch found out, as values for whoever acts on it."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from monitor.drift import ConceptDrift
from monitor.trigger import State
from stream.units import format_time
from stream.watching.pane_row import PaneRow

Kind = Literal["pane", "concept_drift", "reference", "schema"]

_NAMED = 5


class Finding(msgspec.Struct, frozen=True):
    """Something the watch found out.

    Parameters
    ----------
    kind
        A pane closed, the concept drifted, the reference was made, or the schema was corrected.
    time
        Event time in milliseconds.
    pane, drift
        The closed pane, or the change of concept.
    before
        The pane before the closed one.
    actions
        What a corrected schema wants done.
    """

    kind: Kind
    time: int
    pane: PaneRow | None = None
    drift: ConceptDrift | None = None
    before: PaneRow | None = None
    actions: tuple[str, ...] = ()

    @property
    def wanted(self) -> tuple[str, ...]:
        """The actions that are wanted now."""
        return self.actions if self.pane is None else tuple(self.pane.summary.actions)

    @property
    def is_news(self) -> bool:
        """Whether a person should find it afterwards: all but a pane that wants nothing."""
        return self.kind != "pane" or bool(self.wanted)

    @property
    def is_told(self) -> bool:
        """Whether the log should have it: news, another state, and columns newly in alarm."""
        if self.is_news or self.pane is None:
            return True
        was, now = self.before.summary if self.before else None, self.pane.summary
        known = set(was.alarms if was else ())
        changed = now.state != (was.state if was else State.OK)
        return changed or any(alarm not in known for alarm in now.alarms)

    @property
    def is_trouble(self) -> bool:
        """Whether something is wrong, and not only made, mended or over."""
        summary = self.pane.summary if self.pane else None
        wrong = summary is not None and bool(summary.alarms or summary.anomalies)
        return wrong or self.kind == "concept_drift" or bool(set(self.wanted) - {"resume"})

    def line(self) -> dict[str, Any]:
        """Return it in short, as one line of a log holds it."""
        found: dict[str, Any] = {"at": format_time(self.time / 1000)}
        if self.pane is not None:
            summary = self.pane.summary
            alarms = [name for _, name in summary.alarms]
            anomalies = [f"{a.kind} {a.feature}".strip() for a in summary.anomalies]
            found |= {"pane": self.pane.index, "state": summary.state}
            found |= {"wants": list(self.wanted), "alarms": _some(alarms)}
            found |= {"errors": self.pane.errors, "anomalies": _some(anomalies)}
        elif self.drift is not None:
            found |= {"by": self.drift.by, "since": format_time(self.drift.since_time)}
            found |= {"losses": self.drift.losses}
        else:
            found["wants"] = list(self.wanted)
        return {key: value for key, value in found.items() if value or key == "pane"}

    def detail(self) -> dict[str, Any]:
        """Return it as plain data, for what is written down."""
        found: dict[str, Any] = {"time": self.time, "wanted": list(self.wanted)}
        if self.pane is not None:
            summary = self.pane.summary
            found |= {
                "pane": self.pane.index,
                "state": summary.state,
                "signals": summary.signals,
                "alarms": [name for _, name in summary.alarms[:20]],
                "anomalies": [f"{a.kind} {a.feature}".strip() for a in summary.anomalies[:20]],
            }
        if self.drift is not None:
            found["drift"] = msgspec.to_builtins(self.drift)
        return found


def _some(names: list[str]) -> list[str]:
    more = len(names) - _NAMED
    return names[:_NAMED] + ([f"and {more} more"] if more > 0 else [])
