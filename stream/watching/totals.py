"""What the monitor counted since the stream began: the numbers behind its Prometheus counters."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from monitor.anomalies import Anomaly
from monitor.labels import FEATURES_MAX, OTHER
from stream.watching.pane_row import PaneRow


class Totals(msgspec.Struct):
    """Counters; they only rise, and only with the history.

    Parameters
    ----------
    events, errors
        Events checked, and of these with an error of the schema.
    panes
        Panes closed.
    anomalies
        By kind and feature, of events and panes.
    alarms
        Panes in which a column was in alarm, by role and name.
    actions
        What was wanted, by name.
    drifts
        Changes of concept, by who found them.
    cut
        Counts that went to ``other``: beyond ``FEATURES_MAX`` features, or of an unknown one.

    Examples
    --------
    >>> totals = Totals()
    >>> totals.add_anomalies([Anomaly("out_of_range", "x", "warning", "9", "0 to 1")], ["x"])
    >>> totals.anomalies, totals.cut
    ({'out_of_range': {'x': 1}}, 0)
    """

    events: int = 0
    errors: int = 0
    panes: int = 0
    anomalies: dict[str, dict[str, int]] = {}
    alarms: dict[str, dict[str, int]] = {}
    actions: dict[str, int] = {}
    drifts: dict[str, int] = {}
    cut: int = 0

    def add_anomalies(self, anomalies: Sequence[Anomaly], features: Sequence[str]) -> None:
        """Count anomalies; only declared features, and not too many, are counted by name."""
        for anomaly in anomalies:
            by_feature = self.anomalies.setdefault(anomaly.kind, {})
            name = self._named(anomaly.feature, features)
            by_feature[name] = by_feature.get(name, 0) + 1

    def add_pane(self, row: PaneRow, features: Sequence[str]) -> None:
        """Count a closed pane."""
        self.panes += 1
        for role, name in row.summary.alarms:
            by_name = self.alarms.setdefault(role, {})
            known = self._named(name, features) if role == "feature" else name
            by_name[known] = by_name.get(known, 0) + 1
        for action in row.summary.actions:
            self.actions[action] = self.actions.get(action, 0) + 1
        for drift in row.summary.drifts:
            self.drifts[drift.by] = self.drifts.get(drift.by, 0) + 1

    def _named(self, feature: str, features: Sequence[str]) -> str:
        if feature in features[:FEATURES_MAX]:
            return feature
        if feature:
            self.cut += 1
        return OTHER
