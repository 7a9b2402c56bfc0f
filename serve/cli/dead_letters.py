"""``riverrun dead-letters``: what could not be used, why, and once more after a fix."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serve.cli.console import print_json
from serve.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, LogLevel
from serve.cli.progress import progress_bar
from stream.errors import InputError

if TYPE_CHECKING:
    from stream.config import Config
    from stream.dead_letters.selection import Selection
    from stream.log import Log

StageOption = Annotated[
    list[str] | None,
    typer.Option("--stage", help="Only of this stage, such as decode; may be said again."),
]
ReasonOption = Annotated[
    list[str] | None,
    typer.Option("--reason", help="Only with this reason, such as invalid_json; also again."),
]
SinceOption = Annotated[
    str | None, typer.Option("--since", help="Written since: RFC 3339, or back from now, as 2h.")
]
UntilOption = Annotated[str | None, typer.Option("--until", help="Written before, as for --since.")]


def dead_letters_list(
    stage: StageOption = None,
    reason: ReasonOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=10_000, help="Letters on the page.")
    ] = 20,
    start: Annotated[
        str | None, typer.Option("--from", help="Begin at this place: the next page's.")
    ] = None,
    oldest_first: Annotated[
        bool, typer.Option("--oldest-first", help="Begin with the oldest, not with the newest.")
    ] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """List dead letters, the newest first, with a summary by stage and reason.

    Each is shown with its place on the dead-letter topic, the place of the record that could not be
    used, why, and whether it was replayed.
    """
    from serve.cli.dead_letters_list import read_listing
    from serve.cli.dead_letters_view import listing_view
    from serve.cli.printable import forgiving_output
    from stream.dead_letters.selection import parse_place
    from stream.dead_letters.topic import DeadLetterTopic

    with opened_log(config) as (log, settings):
        selection = read_selection(stage, reason, since, until)
        topic = DeadLetterTopic(log, settings.dead_letters_topic)
        try:
            with progress_bar(f"reading {topic.topic}", topic.offset_count) as show:
                listing = read_listing(
                    topic,
                    selection,
                    limit=limit,
                    oldest_first=oldest_first,
                    start=None if start is None else parse_place(start, topic.partitions),
                    show=show,
                )
        finally:
            topic.close()
    if as_json:
        print_json(listing.as_data())
    else:
        forgiving_output().print(listing_view(listing))


def dead_letters_show(
    place: Annotated[
        str, typer.Argument(help="Its place as 'list' shows it, such as 0:17; 17 on one partition.")
    ],
    raw: Annotated[
        bool, typer.Option("--raw", help="Write the original bytes, untouched, and nothing else.")
    ] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Show one dead letter: the reason, all headers, and the bytes as they came.

    Bytes that were too large for the dead-letter topic are read from where they first stood, while
    that is still there.
    """
    from serve.cli.bytes_view import bytes_data
    from serve.cli.dead_letters_list import letter_data
    from serve.cli.dead_letters_view import letter_view
    from serve.cli.printable import forgiving_output
    from stream.dead_letters.original import original_value
    from stream.dead_letters.selection import parse_place
    from stream.dead_letters.topic import DeadLetterTopic

    if raw and as_json:
        raise InputError("--raw and --json: say one of them")
    with opened_log(config) as (log, settings):
        topic = DeadLetterTopic(log, settings.dead_letters_topic)
        try:
            partition, offset = parse_place(place, topic.partitions)
            found = topic.at(partition, offset)
        finally:
            topic.close()
        if found is None:
            raise InputError(
                f"no dead letter at {partition}:{offset} of {topic.topic}; "
                "'riverrun dead-letters list' shows the places"
            )
        letter, record = found
        original = original_value(log, letter, record)
    if raw:
        if original.value is None and letter.omitted:
            raise InputError(f"{place}: {original.note}")
        sys.stdout.buffer.write(original.value or b"")
        sys.stdout.buffer.flush()
    elif as_json:
        headers = [{"name": name, "value": bytes_data(text)} for name, text in record.headers]
        content = {"key": bytes_data(record.key), "value": bytes_data(original.value)}
        print_json(letter_data(letter) | content | {"headers": headers})
    else:
        view = letter_view(letter, record, original.value, original.note)
        forgiving_output().print(view)


@contextmanager
def opened_log(path: Path) -> Iterator[tuple[Log, Config]]:
    """Open the log of a stream, and its configuration; a file that is not there is not made.

    Raises
    ------
    ConfigError, InputError, LogUnreachableError
    """
    from contextlib import closing

    from serve.cli.logs import configure_logs
    from serve.compose import open_stream_log, read_secrets
    from serve.status_reading import missing_file
    from stream.errors import LogUnreachableError
    from stream.load_config import load_config

    configure_logs(LogLevel.WARNING)
    settings = load_config(path)
    if (missing := missing_file(settings.stream.broker)) is not None:
        raise LogUnreachableError(
            f"event log {missing}: there is no such file; correct stream.broker, or produce events "
            "and start a worker first"
        )
    with closing(open_stream_log(settings, read_secrets(os.environ))) as log:
        yield log, settings


def read_selection(
    stages: list[str] | None,
    reasons: list[str] | None,
    since: str | None,
    until: str | None,
) -> Selection:
    """Return what the options select.

    Raises
    ------
    InputError
    """
    from stream.dead_letters.selection import Selection, parse_moment

    now = time.time_ns() // 1_000_000
    return Selection(
        stages=frozenset(stages or ()),
        reasons=frozenset(name.removeprefix("riverrun.") for name in reasons or ()),
        since=None if since is None else parse_moment("--since", since, now),
        until=None if until is None else parse_moment("--until", until, now),
    )
