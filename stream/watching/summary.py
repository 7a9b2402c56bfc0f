"""What a watch shows of itself: a summary for the status, and a view with everything."""

from __future__ import annotations

from typing import Any

import msgspec

from monitor.labels import FEATURES_MAX
from monitor.performance import Performance
from monitor.schema_text import schema_to_toml
from stream.watching.watch import Watch


class View(msgspec.Struct, frozen=True):
    """The monitor in full, as a checkpoint's part ``view`` holds it.

    Parameters
    ----------
    schema
        As text, ``schema.toml``; None during the warm-up.
    groups
        Anomalies in groups, the one seen last first; see ``stream.watching.groups.Group``.
    beyond
        Anomalies that found no room in them.
    performance
        Over the whole stream: ``monitor.performance.Performance.to_data``.
    calibration
        What came true of each level of confidence; None before it was known.
    """

    schema: str | None
    groups: list[dict[str, Any]]
    beyond: int
    performance: dict[str, Any]
    calibration: tuple[float, ...] | None


def view_of(watch: Watch) -> bytes:
    """Return the view of a watch as JSON."""
    schema, calibrator = watch.monitor.schema, watch.performances.outlook.calibrator
    view = View(
        schema=None if schema is None else schema_to_toml(schema),
        groups=[msgspec.to_builtins(group) for group in watch.groups.listed()],
        beyond=watch.groups.beyond,
        performance=watch.performances.whole.to_data(),
        calibration=None if calibrator is None else calibrator.share,
    )
    return msgspec.json.encode(view)


def summary_of(watch: Watch) -> dict[str, Any]:
    """Return the summary of a watch as plain data, of bounded size."""
    monitor, last, reference = watch.monitor, watch.last, watch.monitor.reference
    recorder, schema = monitor.recorder, monitor.schema
    warm_up = {"events": watch.first.usable, "wanted": watch.config.warmup_events}
    return {
        "state": monitor.trigger.state.value,
        "wants": [action.value for action in monitor.trigger.memory.asked],
        "warm_up": None if watch.is_warm else warm_up,
        "schema": None
        if schema is None
        else {
            "features": list(schema.names[:FEATURES_MAX]),
            "beyond": max(0, len(schema.names) - FEATURES_MAX),
            "inferred": watch.given_schema is None,
        },
        "reference": None
        if reference is None
        else {"events": reference.total.events, "layout": reference.layout.fingerprint},
        "open_pane": 0 if recorder is None else recorder.open.events,
        "last_pane": None if last is None else _pane(watch),
        "concept": {"ratio": round(min(1.0, monitor.concept.level), 4)},
        "totals": msgspec.to_builtins(watch.totals),
        "estimate": watch.performances.outlook.summary(),
        "performance": performance_summary(watch.performances.whole),
        **watch.also(),
    }


def performance_summary(performance: Performance) -> dict[str, Any]:
    """Return mean losses by model, coverage, and how long labels took.

    Parameters
    ----------
    performance
        Of any stretch of the stream.
    """
    models = dict.fromkeys(model for model, feature, _, _ in performance.scores if not feature)
    return {
        "predictions": performance.predictions,
        "labels": performance.labelled,
        "coverage": performance.coverage,
        "delay": {f"p{share}": performance.delay_quantile(share / 100) for share in (50, 90, 99)},
        "mean_loss": {model: performance.mean(model) for model in models},
    }


def _pane(watch: Watch) -> dict[str, Any]:
    row, recorder = watch.last, watch.monitor.recorder
    if row is None:
        return {}
    columns = () if recorder is None else recorder.layout.columns
    pairs = zip(columns, row.summary.ratios, strict=False)
    known = [(column.role, column.name, ratio) for column, ratio in pairs if ratio is not None]
    features = [one for one in known if one[0] == "feature"]
    others = [one for one in known if one[0] != "feature"]
    return {
        "index": row.index,
        "first": row.first,
        "last": row.last,
        "events": row.events,
        "errors": row.errors,
        "signals": row.summary.signals,
        "actions": row.summary.actions,
        "alarms": row.summary.alarms[:FEATURES_MAX],
        "ratios": features[:FEATURES_MAX] + others,
        "other_ratio": max((ratio for *_, ratio in features[FEATURES_MAX:]), default=None),
        "anomalies": [msgspec.to_builtins(a) for a in row.summary.anomalies[:FEATURES_MAX]],
        "drifts": [msgspec.to_builtins(drift) for drift in row.summary.drifts],
    }
