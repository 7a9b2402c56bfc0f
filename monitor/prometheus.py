"""The monitor's metrics, each declared once; labels come from the declared schema alone."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge

from monitor.anomalies import KINDS
from monitor.observation import Observation
from monitor.trigger import Action, State

OTHER = "other"
FEATURES_MAX = 200


class MonitorMetrics:
    """What a monitor tells Prometheus.

    Parameters
    ----------
    registry
        Where the metrics are registered; one monitor, one registry, or one `stream` each.
    stream
        The stream's name, a label of every metric.
    features
        Names in the declared schema. Only these become labels, the first `features_max` of them;
        all others are counted as `other`.
    features_max
        The cap.

    Examples
    --------
    >>> registry = CollectorRegistry()
    >>> metrics = MonitorMetrics(registry, "flights", ["carrier"])
    >>> registry.get_sample_value("riverrun_monitor_panes_total", {"stream": "flights"})
    0.0
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        stream: str,
        features: Iterable[str],
        features_max: int = FEATURES_MAX,
    ) -> None:
        self.stream = stream
        declared = list(dict.fromkeys(features))
        self._known = frozenset(declared[:features_max])
        # Panes that were closed.
        self.panes = Counter(
            "riverrun_monitor_panes", "Closed panes.", ["stream"], registry=registry
        )
        # Events that were checked; the denominator of every rate below.
        self.events = Counter(
            "riverrun_monitor_events", "Checked events.", ["stream"], registry=registry
        )
        # Events that go to the dead letters.
        self.event_errors = Counter(
            "riverrun_monitor_event_errors", "Events with an error.", ["stream"], registry=registry
        )
        # Schema skew, by what and where.
        self.anomalies = Counter(
            "riverrun_monitor_anomalies",
            "Anomalies of events and panes.",
            ["stream", "kind", "feature"],
            registry=registry,
        )
        # Value skew: 1 is an alarm.
        self.skew = Gauge(
            "riverrun_monitor_skew_ratio",
            "Largest distance over its threshold in the last pane; 1 is an alarm.",
            ["stream", "feature"],
            registry=registry,
        )
        # Alarms of value skew; their rate without a change is the stated budget.
        self.alarms = Counter(
            "riverrun_monitor_skew_alarms",
            "Panes in which a feature was in alarm.",
            ["stream", "feature"],
            registry=registry,
        )
        # Concept drift: 1 is a detection.
        self.concept = Gauge(
            "riverrun_monitor_concept_ratio",
            "Evidence for a rise of the loss over what is needed; 1 is a detection.",
            ["stream"],
            registry=registry,
        )
        # The state machine, one series a state, 1 for the present one.
        self.state = Gauge(
            "riverrun_monitor_state", "1 for the present state.", ["stream", "state"],
            registry=registry,
        )  # fmt: skip
        # What it wanted.
        self.actions = Counter(
            "riverrun_monitor_actions", "Wanted actions.", ["stream", "action"], registry=registry
        )
        # Labels that the cap cut.
        self.cut = Counter(
            "riverrun_monitor_labels_cut",
            "Updates that went to the label other.",
            ["stream"],
            registry=registry,
        )
        self._start()

    def _start(self) -> None:
        """Create every series with zero, so that a first increase is seen as one."""
        for metric in (self.panes, self.events, self.event_errors, self.concept, self.cut):
            metric.labels(self.stream)
        for name in (*sorted(self._known), OTHER):
            self.skew.labels(self.stream, name)
            self.alarms.labels(self.stream, name)
            for kind in KINDS:
                self.anomalies.labels(self.stream, kind, name)
        for state in State:
            self.state.labels(self.stream, state).set(state is State.OK)
        for action in Action:
            self.actions.labels(self.stream, action)

    def _label(self, feature: str) -> str:
        if feature in self._known:
            return feature
        if feature:
            self.cut.labels(self.stream).inc()
        return OTHER

    def update(self, observation: Observation) -> None:
        """Take in what a monitor returned for one batch.

        Parameters
        ----------
        observation
            The result of `Monitor.observe`.
        """
        self.events.labels(self.stream).inc(len(observation.errors))
        self.event_errors.labels(self.stream).inc(int(observation.errors.sum()))
        for noted in observation.anomalies.values():
            for anomaly in noted:
                feature = self._label(anomaly.feature)
                self.anomalies.labels(self.stream, anomaly.kind, feature).inc()
        for closed in observation.panes:
            self.panes.labels(self.stream).inc()
            for anomaly in closed.anomalies:
                feature = self._label(anomaly.feature)
                self.anomalies.labels(self.stream, anomaly.kind, feature).inc()
            self.concept.labels(self.stream).set(closed.signals.concept)
            other = 0.0
            for entry in closed.report.blame if closed.report else ():
                # A prediction is no feature, whatever features are called.
                feature = self._label(entry.name) if entry.role == "feature" else OTHER
                other = max(other, entry.ratio) if feature == OTHER else other
                self.skew.labels(self.stream, feature).set(
                    other if feature == OTHER else entry.ratio
                )
                self.alarms.labels(self.stream, feature).inc(entry.alarm)
            for action in closed.actions:
                self.actions.labels(self.stream, action).inc()
            for state in State:
                self.state.labels(self.stream, state).set(state is closed.state)
