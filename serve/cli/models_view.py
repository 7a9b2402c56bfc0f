"""Versions of a model as tables for a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from serve.cli.printable import printable

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from stream.training.reproduce import Reproduced
    from stream.versions import Version

_LONG = 2_000
_STYLES = {"serving": "green", "probation": "yellow", "rolled_back": "red", "failed": "red"}
_SHORT = 60


def when(seconds: float) -> str:
    """Return a time for reading, in UTC.

    Examples
    --------
    >>> when(1_700_000_000.0)
    '2023-11-14 22:13:20'
    """
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}"


def score(value: Any) -> str:
    """Return a number for reading, or a hyphen for none."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return "-" if value is None else printable(str(value), _SHORT)


def plain_table(*titles: str) -> Table:
    """Return a table without lines."""
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), show_header=any(titles))
    for title in titles:
        table.add_column(title, overflow="fold")
    return table


def list_view(versions: Sequence[Version]) -> RenderableType:
    """Return the versions, one a row."""
    from rich.text import Text

    table = plain_table("version", "state", "created (UTC)", "trigger", "why", "losses", "scores")
    for one in versions:
        gate = one.gate
        losses = ""
        if "challenger_loss" in gate:
            losses = f"{score(gate['challenger_loss'])} against {score(gate['champion_loss'])}"
        table.add_row(
            one.version,
            Text(one.state.replace("_", " "), _STYLES.get(one.state, "")),
            when(one.created_at),
            one.trigger,
            Text(printable(one.reason, _SHORT)),
            losses,
            Text(", ".join(f"{printable(n)} {score(v)}" for n, v in one.scores.items())),
        )
    return table


def show_view(details: Mapping[str, Any]) -> RenderableType:
    """Return everything about one version."""
    from rich.console import Group
    from rich.text import Text

    state = str(details["state"]).replace("_", " ")
    parts: list[RenderableType] = [
        Text(f"{details['version']}: {state}", "bold"),
        Text(printable(details["why"], _LONG)),
    ]
    if details["decision"]:
        parts.append(Text(printable(details["decision"], _LONG)))
    parts += [Text(), _facts(details)]
    if details["gate"]:
        parts += [Text(), Text("At the gate", "bold"), _pairs(details["gate"])]
    if details["segments"]:
        parts += [Text(), Text("Segments", "bold"), _segments(details["segments"])]
    if details["history"]:
        parts += [Text(), Text("What happened to it", "bold"), _history(details["history"])]
    return Group(*parts)


def _facts(details: Mapping[str, Any]) -> Table:
    from rich.text import Text

    facts: dict[str, Any] = {
        "created": f"{when(details['created_at'])} UTC",
        "asked for by": details["by"] or "the system itself",
        "pipeline": " ".join(details["pipeline"].split()) or "not written down",
        "seed": details["seed"],
        "fingerprint": details["fingerprint"],
        "libraries": ", ".join(f"{k} {v}" for k, v in details["libraries"].items()),
    }
    trained = details["trained_on"]
    if trained is None:
        facts["trained on"] = "the log from its beginning on, as events came"
        if details["origin"]:
            card = (details["card"] or {}).get("model", {}).get("trained_on") or {}
            events, span = card.get("events"), card.get("range", {}).get("found_by")
            known = "" if events is None else f": {events:,} events, {span}"
            facts["trained on"] = f"elsewhere{known}; --json shows its whole card"
            facts["origin"] = "{version} of {stream}, signed: {signed}".format(**details["origin"])
    else:
        ends = trained.get("caught_up", {}).get("offsets", trained["range"]["to"])
        for place, start in trained["range"]["from"].items():
            facts[f"offsets of {place}"] = f"{start:,} to {ends.get(place, start):,}"
        facts |= {
            "range": trained["range"]["found_by"],
            "events": f"{trained['events']:,}, learned from {trained['learned']:,}, could not be "
            f"used {trained['dead_lettered']:,}",
            "trained in": f"{trained['seconds']:,.1f} s",
        }
    facts |= {f"{name} in training": score(v) for name, v in details["scores"].items()}
    facts |= {
        f"{name} of the champion then": score(v) for name, v in details["champion_scores"].items()
    }
    facts["evidence"] = ", ".join(f"{k}: {v}" for k, v in details["evidence"].items()) or None
    facts["model kept"] = ", ".join(details["moments"]) or "no"
    facts["reference kept"] = "yes" if details["has_reference"] else "no"
    table = plain_table("", "")
    for name, value in facts.items():
        if value is not None:
            table.add_row(Text(printable(name)), Text(printable(str(value), _LONG)))
    return table


def _pairs(numbers: Mapping[str, Any]) -> Table:
    from rich.text import Text

    table = plain_table("", "")
    for name, value in numbers.items():
        table.add_row(Text(printable(name.replace("_", " "))), Text(score(value)))
    return table


def _segments(segments: Mapping[str, Mapping[str, Any]]) -> Table:
    from rich.text import Text

    table = plain_table("segment", "labels", "log evidence that it is worse there")
    for name, found in segments.items():
        table.add_row(
            Text(printable(name)), f"{found['labels']:,}", score(found["log_evidence_worse"])
        )
    return table


def _history(history: Sequence[Mapping[str, Any]]) -> Table:
    from rich.text import Text

    table = plain_table("at (UTC)", "run", "state", "")
    for change in history:
        state = str(change["state"]).replace("_", " ")
        sentence = Text(printable(change["sentence"], _LONG))
        table.add_row(when(change["at"]), str(change["run"] or "-"), state, sentence)
    return table


def reproduced_view(found: Reproduced) -> RenderableType:
    """Return how a version that was made again compares."""
    from rich.console import Group
    from rich.text import Text

    recipe = found.recipe
    if found.equal:
        verdict = Text(f"{recipe.version} was made again: it predicts the same.", "green")
    else:
        verdict = Text(f"{recipe.version} could not be made again exactly.", "red")
    numbers = {
        "probes": f"{found.probes:,} events before its promotion",
        "largest difference": found.largest_difference,
        "learned from in training": f"{found.learned:,} (then {recipe.learned:,})",
        "learned from in the shadow": f"{found.learned_in_shadow:,} "
        f"(then {recipe.learned_in_shadow:,})",
        "took": f"{found.seconds:,.1f} s",
    }
    return Group(verdict, _pairs(numbers), *(Text(f"- {note}") for note in found.notes))
