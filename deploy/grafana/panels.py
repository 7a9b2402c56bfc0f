"""Panels of Grafana as plain data: what all of them share is written once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
WIDTH = 24

Query = tuple[str, str]
"""An expression, and what its series are called."""

_GREEN, _YELLOW, _RED, _BLUE = "green", "yellow", "red", "blue"
STATES = {
    0: ("OK", _GREEN),
    1: ("WARNING", _YELLOW),
    2: ("RETRAINING", _BLUE),
    3: ("COOLDOWN", _BLUE),
    4: ("DRIFT", "orange"),
    5: ("HALTED", _RED),
}


def series(title: str, text: str, unit: str, *queries: Query, **options: Any) -> dict[str, Any]:
    """Return lines over time."""
    custom = {
        "lineWidth": 1,
        "fillOpacity": 8,
        "showPoints": "never",
        "stacking": {"mode": "normal" if options.pop("stack", False) else "none"},
        "thresholdsStyle": {"mode": "dashed" if "steps" in options else "off"},
    }
    panel = _panel("timeseries", title, text, unit, queries, custom=custom, **options)
    panel["options"] = {
        "legend": {"displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"]},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    return panel


def stat(title: str, text: str, unit: str, *queries: Query, **options: Any) -> dict[str, Any]:
    """Return a number of now."""
    options = {"w": 4, "h": 4} | options
    panel = _panel("stat", title, text, unit, queries, instant=True, **options)
    panel["options"] = {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "colorMode": "background" if "steps" in options or "mappings" in options else "value",
        "graphMode": "none",
        "textMode": "auto",
    }
    return panel


def bars(title: str, text: str, unit: str, *queries: Query, **options: Any) -> dict[str, Any]:
    """Return one bar a series, of the whole time shown."""
    panel = _panel("bargauge", title, text, unit, queries, instant=True, **options)
    panel["options"] = {
        "orientation": "horizontal",
        "displayMode": "basic",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
    }
    return panel


def rows(title: str, text: str, unit: str, *queries: Query, **options: Any) -> dict[str, Any]:
    """Return a row of coloured cells for each series: what is red, and since when."""
    panel = _panel("status-history", title, text, unit, queries, **options)
    panel["options"] = {"showValue": "never", "rowHeight": 0.9, "legend": {"showLegend": False}}
    panel["maxDataPoints"] = 150
    return panel


def timeline(title: str, text: str, unit: str, *queries: Query, **options: Any) -> dict[str, Any]:
    """Return bands of states over time."""
    panel = _panel("state-timeline", title, text, unit, queries, **options)
    panel["options"] = {"showValue": "auto", "mergeValues": True, "legend": {"showLegend": False}}
    return panel


def state_mappings() -> list[dict[str, Any]]:
    """Return how the monitor's state, as a number, is shown."""
    shown = {
        str(value): {"text": text, "color": colour, "index": value}
        for value, (text, colour) in STATES.items()
    }
    return [{"type": "value", "options": shown}]


def yes_no(yes: str, no: str, *, good: bool) -> list[dict[str, Any]]:
    """Return how 1 and 0 are shown."""
    shown = {
        "1": {"text": yes, "color": _GREEN if good else _BLUE, "index": 0},
        "0": {"text": no, "color": _RED if good else "transparent", "index": 1},
    }
    return [{"type": "value", "options": shown}]


def dashboard(
    uid: str,
    title: str,
    text: str,
    panels: Sequence[dict[str, Any]],
    variables: Sequence[tuple[str, str, str, bool]],
) -> dict[str, Any]:
    """Return a dashboard: panels are laid out in rows, in their order.

    Parameters
    ----------
    uid, title, text
        Of the dashboard.
    panels
        As the functions above return them.
    variables
        Name, label, query, and whether several may be chosen.
    """
    return {
        "uid": uid,
        "title": title,
        "description": text,
        "tags": ["riverrun"],
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "10s",
        "time": {"from": "now-3h", "to": "now"},
        "timezone": "browser",
        "links": [
            {
                "type": "dashboards",
                "title": "riverrun",
                "tags": ["riverrun"],
                "asDropdown": False,
                "includeVars": True,
                "keepTime": True,
            }
        ],
        "annotations": {"list": _annotations()},
        "templating": {"list": [_datasource(), *(_variable(*variable) for variable in variables)]},
        "panels": _laid_out(panels),
    }


def _panel(
    kind: str,
    title: str,
    text: str,
    unit: str,
    queries: Sequence[Query],
    *,
    instant: bool = False,
    w: int = 12,
    h: int = 8,
    steps: Sequence[tuple[float | None, str]] = ((None, _GREEN),),
    mappings: Sequence[dict[str, Any]] = (),
    custom: dict[str, Any] | None = None,
    **defaults: Any,
) -> dict[str, Any]:
    # A series without a threshold is coloured by its name.
    mode = "thresholds" if len(steps) > 1 and kind != "timeseries" else "palette-classic"
    return {
        "type": kind,
        "title": title,
        "description": text,
        "datasource": DATASOURCE,
        "gridPos": {"w": w, "h": h, "x": 0, "y": 0},
        "fieldConfig": {
            "defaults": {
                "unit": unit,
                "color": {"mode": "thresholds" if kind == "stat" else mode},
                "thresholds": {
                    "mode": "absolute",
                    "steps": [{"value": value, "color": colour} for value, colour in steps],
                },
                "mappings": list(mappings),
                **defaults,
                **({} if custom is None else {"custom": custom}),
            },
            "overrides": [],
        },
        "targets": [
            {
                "refId": chr(ord("A") + number),
                "datasource": DATASOURCE,
                "expr": expression,
                "legendFormat": legend,
                "instant": instant,
                "range": not instant,
            }
            for number, (expression, legend) in enumerate(queries)
        ],
    }


def _laid_out(panels: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Place panels beside each other, and below where there is no room."""
    x = y = tallest = 0
    for number, panel in enumerate(panels, start=1):
        place = panel["gridPos"]
        if x + place["w"] > WIDTH:
            x, y, tallest = 0, y + tallest, 0
        place |= {"x": x, "y": y}
        panel["id"] = number
        x, tallest = x + place["w"], max(tallest, place["h"])
    return list(panels)


def _annotations() -> list[dict[str, Any]]:
    marks = (
        ("drift", "orange", "changes(riverrun_monitor_concept_drifts_total{stream=~\"$stream\"}[$__interval]) > 0", "the loss changed ({{by}})"),
        ("promoted", "green", "changes(riverrun_promotions_total{stream=~\"$stream\"}[$__interval]) > 0", "a challenger took over"),
        ("rolled back", "red", "changes(riverrun_rollbacks_total{stream=~\"$stream\"}[$__interval]) > 0", "the former model is back"),
    )  # fmt: skip
    return [
        {
            "name": name,
            "datasource": DATASOURCE,
            "enable": True,
            "iconColor": colour,
            "expr": expression,
            "titleFormat": title,
            "step": "10s",
        }
        for name, colour, expression, title in marks
    ]


def _datasource() -> dict[str, Any]:
    return {
        "name": "datasource",
        "label": "Prometheus",
        "type": "datasource",
        "query": "prometheus",
        "current": {"text": "Prometheus", "value": "riverrun-prometheus"},
    }


def _variable(name: str, label: str, query: str, several: bool) -> dict[str, Any]:
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": DATASOURCE,
        "query": {"query": query, "refId": name},
        "definition": query,
        "refresh": 2,
        "sort": 1,
        "multi": several,
        "includeAll": several,
        **({"allValue": ".*", "current": {"text": "All", "value": "$__all"}} if several else {}),
    }
