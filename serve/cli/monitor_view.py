"""What the monitor says, for a person: a few lines of the status, and one of them live."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from serve.cli.printable import printable
from stream.units import format_time

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

_STYLES = {"OK": "bold green", "WARNING": "bold yellow", "DRIFT": "bold red", "HALTED": "bold red"}
_WANTS = {
    "retrain": "a retraining",
    "challenge": "a challenger",
    "labels": "labels",
    "limited": "a retraining, but today's are used up",
}
_ALARMS, _GROUPS, _DRIFTS, _BRIEF = 8, 3, 3, 3
_NAME = 24
_METRICS = {"roc_auc": "ROC AUC", "accuracy": "accuracy", "f1": "F1"}
_METRICS_SHOWN = 2


def brief(state: str, panes: int, alarms: Sequence[str], warm_up: float | None) -> str:
    """Return the monitor in a few words, for a line that has others beside them.

    Parameters
    ----------
    state
        Of the state machine.
    panes
        Closed so far.
    alarms
        Columns in alarm, the most suspicious first.
    warm_up
        Share of it that is done; None afterwards.

    Examples
    --------
    >>> brief("OK", 0, (), 0.25), brief("DRIFT", 35, ("a", "b", "c", "d"), None)
    ('warming up 25%', 'DRIFT, 35 panes, in alarm: a, b, c +1')
    """
    if warm_up is not None:
        return f"warming up {warm_up:.0%}" + (f", {state}" if state != "OK" else "")
    text = f"{state}, {panes:,} pane{'' if panes == 1 else 's'}"
    shown = ", ".join(printable(name, _NAME) for name in alarms[:_BRIEF])
    more = f" +{len(alarms) - _BRIEF}" if len(alarms) > _BRIEF else ""
    return f"{text}, in alarm: {shown}{more}" if alarms else text


def brief_of(monitor: Mapping[str, Any]) -> str:
    """Return the monitor of a status in a few words; see ``brief``."""
    warm_up, last = monitor["warm_up"], monitor["last_pane"]
    done = None if warm_up is None else warm_up["events"] / warm_up["wanted"]
    alarms = [name for _, name in last["alarms"]] if last else []
    return brief(monitor["state"], monitor["totals"]["panes"], alarms, done)


def monitor_view(status: Mapping[str, Any]) -> Table:
    """Return the monitor of a status as lines with a name before each."""
    from rich.table import Table
    from rich.text import Text

    monitor = status["monitor"]
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row("monitor", _state(monitor))
    if monitor["state"] == "HALTED":
        grid.add_row("", Text(_halt(status), style="bold red"))
    elif unlearned := status["counts"]["unlearned"]:
        grid.add_row("", f"{unlearned:,} labels were not learned from while learning paused")
    lines = {
        "in alarm": _alarms(monitor["last_pane"]),
        "schema": _schema(monitor),
        "loss": _loss(monitor),
        "expected": _expected(monitor["estimate"]),
        "labels": _labels(monitor["performance"]),
    }
    for name, text in lines.items():
        if text:
            grid.add_row(name, Text(text))
    return grid


def _state(monitor: Mapping[str, Any]) -> Text:
    from rich.text import Text

    state, warm_up = monitor["state"], monitor["warm_up"]
    text = Text.assemble((state, _STYLES.get(state, "bold cyan")))
    wants = [_WANTS[action] for action in monitor["wants"] if action in _WANTS]
    if wants:
        text.append(f", wants {' and '.join(wants)}")
    if warm_up is not None:
        text.append(
            f"; warming up, {warm_up['events']:,} of {warm_up['wanted']:,} events: nothing can be "
            "in alarm before there is a reference"
        )
        return text
    panes, pending = monitor["totals"]["panes"], monitor["open_pane"]
    text.append(f"; {panes:,} panes closed, {pending:,} events in the open one")
    return text


def _halt(status: Mapping[str, Any]) -> str:
    unlearned = status["counts"]["unlearned"]
    return (
        f"LEARNING PAUSES: too many events break the schema; {unlearned:,} labels were not learned "
        "from. It goes on with a clean pane, or with a corrected monitor.schema_file ('riverrun "
        "schema show' prints the schema)"
    )


def _alarms(last: Mapping[str, Any] | None) -> str:
    """Return the columns in alarm, each with its distance over the threshold."""
    if not last:
        return ""
    if not last["alarms"]:
        return "nothing"
    ratios = {(role, name): ratio for role, name, ratio in last["ratios"]}
    names = [
        printable(name, _NAME) + (f" ({role})" if role not in ("feature", name) else "")
        + (f" {ratios[role, name]:.1f}" if (role, name) in ratios else "")
        for role, name in last["alarms"][:_ALARMS]
    ]  # fmt: skip
    more = len(last["alarms"]) - _ALARMS
    shown = ", ".join(names) + (f" and {more:,} more" if more > 0 else "")
    return f"{shown} (times the threshold, in pane {last['index']:,})"


def _schema(monitor: Mapping[str, Any]) -> str:
    schema, totals = monitor["schema"], monitor["totals"]
    if schema is None:
        return ""
    count = len(schema["features"]) + schema["beyond"]
    origin = "inferred" if schema["inferred"] else "given"
    checked = f"{totals['errors']:,} of {totals['events']:,} events in error"
    lines = [f"{origin}, {count:,} features; {checked}"]
    for group in monitor.get("anomaly_groups", ())[:_GROUPS]:
        where = f" in {printable(group['feature'], _NAME)}" if group["feature"] else ""
        what = f"{group['count']:,} {group['severity']}{'' if group['count'] == 1 else 's'}"
        found, expected = printable(group["sample"], 24), printable(group["expected"], 32)
        lines.append(
            f"{group['kind']}{where}: {what}, the last {_minute(group['last'] / 1000)}; "
            f"found {found}, expected {expected}"
        )
    return "\n".join(lines)


def _loss(monitor: Mapping[str, Any]) -> str:
    if monitor["warm_up"] is not None:
        return ""
    found = sum(monitor["totals"]["drifts"].values())
    text = f"evidence of a change {monitor['concept']['ratio']:.0%} of what is needed"
    if not found:
        return f"{text}; no change so far"
    text += f"; {found:,} change{'' if found == 1 else 's'} so far"
    shown = [f"{d['by']} {_minute(d['at_time'])}" for d in monitor.get("drifts", ())]
    return f"{text}, the last: {', '.join(shown[:_DRIFTS])}" if shown else text


def _expected(estimate: Mapping[str, Any] | None) -> str:
    """Return metrics that are expected without labels beside those of the labels there are."""
    if not estimate:
        return ""
    names = [name for name in _METRICS if name in estimate["expected"]][:_METRICS_SHOWN]
    parts = []
    for name in names:
        value = estimate["expected"][name]
        realised = estimate["realised"].get(name)
        came = "not known yet" if realised is None else f"{realised:.3f}"
        band = f"{value['low']:.3f} to {value['high']:.3f}"
        parts.append(f"{_METRICS[name]} {value['value']:.3f} ({band}), realised {came}")
    return "\n".join(parts)


def _labels(performance: Mapping[str, Any]) -> str:
    if not performance["predictions"]:
        return ""
    text = f"{performance['labels']:,} came, for {performance['predictions']:,} predictions"
    if performance["coverage"] is not None:
        text += f" ({performance['coverage']:.1%})"
    delay = performance["delay"]
    if delay["p50"] is not None:
        text += f"; delay {delay['p50']} for half, {delay['p90']} for 9 of 10"
    return text


def _minute(seconds: float) -> str:
    return format_time(seconds // 60 * 60).replace("T", " ").removesuffix(":00Z")
