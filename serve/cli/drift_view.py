"""A comparison as a table for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serve.cli.drift_result import DriftResult, FeatureDrift, headline
from serve.cli.drift_shapes import shapes
from serve.cli.printable import printable
from serve.sparkline import BLOCKS, PLAIN, sparkline

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

_VERDICTS = {
    "DRIFT": ("✗ DRIFT", "bold red"),
    "OK": ("✓ ok", "green"),
    "INSUFFICIENT": ("? INSUFFICIENT", "yellow"),
}
_COLUMNS = {
    "feature": 30,
    "verdict": None,
    "statistic / threshold": 22,
    "largest change": 30,
    "missing": 16,
    "new categories": 26,
    "distributions": None,
}
_OPTIONAL = ("missing", "new categories")
_NARROW = 110
_TESTS = {"wasserstein": "W", "js": "JS"}
_NEW_SHOWN = 3
_LEFT_OUT_SHOWN = 12
_LEGEND = (
    "W: Wasserstein distance in standard deviations of the reference. JS: Jensen-Shannon "
    "distance, 0 to 1. From the threshold on it is drift.\n"
    "Distributions: above {} ({:,} {rows}), below {} ({:,} {rows})."
)


def drift_view(result: DriftResult, *, blocks: str = BLOCKS, width: int = 160) -> RenderableType:
    """Draw a comparison.

    Parameters
    ----------
    result
        What was found.
    blocks
        As for `sparkline`.
    width
        Of the page. On a narrow one, columns are left out that have nothing to say.

    Returns
    -------
    RenderableType
        A sentence, a table with a row for each feature, what was left out, and notes.
    """
    from rich.console import Group
    from rich.text import Text

    style = "bold red" if result.drifted else "bold green" if result.usable else "bold yellow"
    (before, rows_before), (after, rows_after) = result.reference, result.current
    rows = "rows" if result.span is None else "events"
    names = printable(before, 100), printable(after, 100)
    legend = _LEGEND.format(names[0], rows_before, names[1], rows_after, rows=rows)
    return Group(
        Text(printable(headline(result), 1000), style=style),
        Text(),
        _table(result, blocks, narrow=width < _NARROW),
        Text(),
        Text(legend),
        *(Text(line) for line in _footnotes(result)),
    )


def _table(result: DriftResult, blocks: str, *, narrow: bool) -> Table:
    from rich.table import Table
    from rich.text import Text

    rows = [_row(feature, blocks) for feature in result.features]
    told = [
        at
        for at, title in enumerate(_COLUMNS)
        if not (narrow and title in _OPTIONAL and all(row[at] == Text("-") for row in rows))
    ]
    table = Table(box=None, padding=(0, 2, 0, 0))
    for at, (title, width) in enumerate(_COLUMNS.items()):
        if at in told:
            table.add_column(title, overflow="fold", no_wrap=width is None, max_width=width)
    for row in rows:
        table.add_row(*(row[at] for at in told))
    return table


def _row(feature: FeatureDrift, blocks: str) -> list[Text]:
    from rich.text import Text

    word, style = _VERDICTS[feature.verdict]
    skew = feature.skew
    kind = skew.kind if skew.role == "feature" else f"{skew.kind} {skew.role}"
    return [
        Text.assemble((printable(skew.name), "bold"), f"\n{kind}"),
        Text(word if blocks is not PLAIN else word[2:], style=style),
        Text(_statistic(feature)),
        Text(_change(feature)),
        Text(_missing(feature)),
        Text(_new(feature)),
        _charts(feature, blocks),
    ]


def _statistic(feature: FeatureDrift) -> str:
    skew = feature.skew
    distance = skew.wasserstein if skew.test == "wasserstein" else skew.js
    figures = f"{_TESTS[skew.test]} {distance or 0.0:.3f} / {skew.threshold:.3f}"
    if feature.why:
        return "column is gone" if feature.why == "gone" else "type changed"
    if feature.verdict == "INSUFFICIENT":
        return f"only {min(skew.values_reference, skew.values_current):,} values"
    return figures


def _change(feature: FeatureDrift) -> str:
    if feature.why == "type":
        return f"of another type\n{feature.unusable[0]:.1%} → {feature.unusable[1]:.1%}"
    before, after = feature.culprit_shares
    if before == after:
        return "-"
    return f"{printable(feature.skew.culprit, 28)}\n{before:.1%} → {after:.1%}"


def _missing(feature: FeatureDrift) -> str:
    before, after = feature.skew.missing_reference, feature.skew.missing_current
    return f"{before:.1%} → {after:.1%}" if before or after else "-"


def _new(feature: FeatureDrift) -> str:
    new = feature.extra.new_categories
    shown = ", ".join(f"{printable(name, 16)} ({count:,})" for name, count in new[:_NEW_SHOWN])
    more = len(new) - _NEW_SHOWN
    return (f"{shown} and {more} more" if more > 0 else shown) or "-"


def _charts(feature: FeatureDrift, blocks: str) -> Text:
    from rich.text import Text

    if feature.skew.kind == "presence":
        return Text("-")
    both = shapes(feature.column.bins, *feature.counts)
    top = max(max(line, default=0.0) for line in both)
    return Text("\n".join(sparkline(line, top, blocks) for line in both))


def _footnotes(result: DriftResult) -> list[str]:
    lines, reasons = [], dict[str, list[str]]()
    for name, why in result.left_out.items():
        reasons.setdefault(why, []).append(printable(name))
    for why, names in reasons.items():
        more = len(names) - _LEFT_OUT_SHOWN
        shown = ", ".join(names[:_LEFT_OUT_SHOWN]) + (f" and {more} more" if more > 0 else "")
        lines.append(f"Left out: {shown} ({printable(why, 80)})")
    if reasons:
        lines.append("A column that is named in --columns is compared all the same.")
    return lines + [f"Note: {printable(note, 400)}" for note in result.notes]
