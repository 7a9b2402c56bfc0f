"""Dead letters as tables for a person. What people sent is shown, never carried out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serve.cli.bytes_view import bytes_view
from serve.cli.dead_letters_list import Kind, Listing
from serve.cli.moments import moment_text
from serve.cli.printable import printable
from stream.dead_letters.letter import Letter, original_headers
from stream.records import Record

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

_LONGEST_MESSAGE, _LONGEST_HEADER = 160, 400


def listing_view(listing: Listing) -> RenderableType:
    """Return the summary by stage and reason, and the page."""
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = [Text(_headline(listing))]
    if listing.kinds:
        parts += [Text(), _summary(listing.kinds), Text(), _page(listing)]
    if listing.following is not None:
        parts += [Text(), Text(f"More: add --from {listing.following}")]
    return Group(*parts)


def _headline(listing: Listing) -> str:
    topic, total = listing.topic, listing.total
    if not total:
        text = f"{topic}: no dead letters"
    elif listing.matched == total:
        text = f"{topic}: {total:,} dead letter{'s' * (total != 1)}"
    elif listing.matched:
        text = f"{topic}: {listing.matched:,} of {total:,} dead letters"
    else:
        there = ", ".join(
            f"{printable(stage)}/{printable(reason)} ({kind.count:,})"
            for (stage, reason), kind in list(listing.present.items())[:10]
        )
        text = f"{topic}: none of {total:,} dead letters matches; there are {there}"
    if listing.others:
        text += f"; {listing.others:,} other records are no dead letters of riverrun"
    return text


def _summary(kinds: dict[tuple[str, str], Kind]) -> Table:
    table = _table("stage", "reason", "letters", "first", "last")
    table.columns[2].justify = "right"
    for (stage, reason), kind in list(kinds.items())[:50]:
        times = (_seconds(kind.first), _seconds(kind.last))
        _add(table, printable(stage), printable(reason, 60), f"{kind.count:,}", *times)
    if len(kinds) > 50:
        _add(table, f"and {len(kinds) - 50:,} more", "", "", "", "")
    return table


def _page(listing: Listing) -> Table:
    table = _table("place", "written", "record", "stage/reason", "message", "replayed")
    table.columns[0].no_wrap = True
    for letter, state in listing.letters:
        source = str(letter.source)
        if letter.origin is not None:
            source += f", a replay of {letter.origin.place}"
        _add(
            table,
            letter.place,
            _seconds(letter.time),
            source,
            f"{printable(letter.stage)}/{printable(letter.reason, 60)}",
            printable(letter.message, _LONGEST_MESSAGE),
            state,
        )
    return table


def letter_view(letter: Letter, record: Record, value: bytes | None, note: str) -> RenderableType:
    """Return all there is to know of one letter.

    Parameters
    ----------
    letter, record
        As read from the topic.
    value
        The original bytes.
    note
        What is to be said of them.
    """
    from rich.console import Group
    from rich.text import Text

    table = _table("", "")
    table.show_header = False
    source = str(letter.source)
    if letter.source_time is not None:
        source += f", appended {moment_text(letter.source_time, ' ')}"
    rows = {
        "place": letter.place,
        "written": moment_text(letter.time, " "),
        "record": source,
        "stage": printable(letter.stage),
        "reason": printable(letter.reason, 200),
        "message": printable(letter.message, 1_000),
        "key": "none" if record.key is None else _short(record.key),
    }
    if letter.origin is not None:
        rows["replay of"] = (
            f"{letter.origin.place}, appended {moment_text(letter.origin.time, ' ')}"
        )
    for name, text in rows.items():
        _add(table, name, text)
    own = len(original_headers(record))
    headers = _table("header", "value", "from")
    for number, (name, content) in enumerate(record.headers):
        _add(headers, printable(name, 100), _short(content), "record" if number < own else "worker")
    body = "" if value is None else bytes_view(value)
    return Group(table, Text(), headers, Text(), Text(note), Text(body))


def _seconds(milliseconds: int) -> str:
    return moment_text(milliseconds - milliseconds % 1_000, " ").replace(".000Z", "Z")


def _short(content: bytes) -> str:
    text = content[: 4 * _LONGEST_HEADER].decode("utf-8", "backslashreplace")
    return printable(text, _LONGEST_HEADER)


def _table(*titles: str) -> Table:
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in titles:
        table.add_column(title, overflow="fold")
    return table


def _add(table: Table, *cells: str) -> None:
    """Add a row of texts in which brackets mean nothing."""
    from rich.text import Text

    table.add_row(*map(Text, cells))
