"""What the watch found out, as values for whoever acts on it."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from monitor.drift import ConceptDrift
from stream.watching.pane_row import PaneRow

Kind = Literal["pane", "concept_drift", "reference", "schema"]


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
    actions
        What a corrected schema wants done.
    """

    kind: Kind
    time: int
    pane: PaneRow | None = None
    drift: ConceptDrift | None = None
    actions: tuple[str, ...] = ()

    @property
    def wanted(self) -> tuple[str, ...]:
        """The actions that are wanted now."""
        return self.actions if self.pane is None else tuple(self.pane.summary.actions)

    @property
    def is_news(self) -> bool:
        """Whether a person should hear of it: all but a pane that wants nothing."""
        return self.kind != "pane" or bool(self.wanted)

    def detail(self) -> dict[str, Any]:
        """Return it as plain data, for the log and for what is written down."""
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
