"""``riverrun dead-letters replay``: the records of dead letters, appended once more."""

from __future__ import annotations

import os
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from serve.cli.console import print_json, say
from serve.cli.dead_letters import (
    ReasonOption,
    SinceOption,
    StageOption,
    UntilOption,
    opened_log,
    read_selection,
)
from serve.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption
from serve.cli.progress import progress_bar
from stream.errors import InputError, TopicNotFoundError

if TYPE_CHECKING:
    from stream.config import Config
    from stream.dead_letters.rebuilds import Rebuild
    from stream.dead_letters.replay import Outcome, Replay
    from stream.dead_letters.selection import Selection
    from stream.log import Log

_DECLINED, _INTERRUPTED = 1, 130


def dead_letters_replay(
    places: Annotated[
        list[str] | None,
        typer.Argument(metavar="PLACE", help="Such as 0:17; default: all that options select."),
    ] = None,
    stage: StageOption = None,
    reason: ReasonOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", min=1, help="Append at most so many, the oldest first."),
    ] = None,
    no_check: Annotated[
        bool,
        typer.Option("--no-check", help="Also what the configuration here would reject again."),
    ] = False,
    rebuilt: Annotated[
        bool,
        typer.Option(
            "--rebuilt", help="Also what a rebuild read since, and could not take either."
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Append the records of dead letters again, to the topic that they came from.

    Bytes, key and headers are the original ones. What was replayed before is skipped, and a replay
    that was cut short goes on where it was: each record is appended once, and learned at most once,
    however often this runs.
    """
    from serve.cli.signals import stopping

    if not (yes or dry_run or sys.stdin.isatty()):
        raise InputError("there is nobody to ask here: say --yes to replay, or --dry-run to look")
    if places and (stage or reason or since or until):
        raise InputError("give either places, or --stage, --reason, --since and --until")
    with opened_log(config) as (log, settings):
        selection = read_selection(stage, reason, since, until)
        if places:
            selection = _of_places(log, settings, places)
        rebuilds = [] if rebuilt else _rebuilds(settings)
        replay = _replay(log, settings, selection, limit, check=not no_check, rebuilds=rebuilds)
        with closing(replay):
            topic, total = replay.topic.topic, replay.topic.offset_count
            with progress_bar(f"reading {topic}", total) as show:
                replay.read_marks(show)
            if not yes:
                with progress_bar("looking what is to be done", total) as show:
                    plan = replay.plan(show)
                if dry_run or not plan.replayed:
                    _show(plan, topic, as_json, dry_run=dry_run)
                    return
                _confirm(plan, topic)
            with stopping() as asked, progress_bar("replaying", total) as show:
                outcome = replay.run(asked, show)
            stopped = asked()
    _show(outcome, topic, as_json, stopped=stopped)
    if stopped:
        raise typer.Exit(_INTERRUPTED)


def _replay(
    log: Log,
    config: Config,
    selection: Selection,
    limit: int | None,
    *,
    check: bool,
    rebuilds: list[Rebuild],
) -> Replay:
    from stream.clock import SystemClock
    from stream.dead_letters.replay import Replay

    clock = SystemClock()
    return Replay(log, config, selection, limit=limit, check=check, rebuilds=rebuilds, clock=clock)


def _rebuilds(config: Config) -> list[Rebuild]:
    from serve.compose import open_stream_store, read_secrets
    from serve.status_reading import missing_file
    from stream.dead_letters.rebuilds import rebuilds_of

    if missing_file(config.stream.store) is not None:
        return []
    with closing(open_stream_store(config, read_secrets(os.environ))) as store:
        return rebuilds_of(store)


def _of_places(log: Log, config: Config, places: list[str]) -> Selection:
    from stream.dead_letters.selection import Selection, parse_place

    topic, known = config.dead_letters_topic, log.topics()
    if topic not in known:
        raise TopicNotFoundError(topic, log.url, list(known))
    partitions = range(known[topic])
    return Selection(places=frozenset(parse_place(text, partitions) for text in places))


def _confirm(plan: Outcome, topic: str) -> None:
    """Ask a person; leave where the answer is no."""
    for line in _lines(plan, topic, "to replay"):
        say(line)
    if not typer.confirm("Replay them now?", err=True):
        say("nothing was replayed")
        raise typer.Exit(_DECLINED)


def _show(
    outcome: Outcome, topic: str, as_json: bool, *, dry_run: bool = False, stopped: bool = False
) -> None:
    if as_json:
        print_json(_as_data(outcome, topic, dry_run, stopped))
        return
    for line in _lines(outcome, topic, "would be replayed" if dry_run else "replayed"):
        typer.echo(line)
    if stopped:
        typer.echo("stopped as asked: run it again for the rest")


def _as_data(outcome: Outcome, topic: str, dry_run: bool, stopped: bool) -> dict[str, Any]:
    return {
        "topic": topic,
        "dry_run": dry_run,
        "stopped": stopped,
        "selected": outcome.selected,
        "would_replay" if dry_run else "replayed": outcome.replayed,
        "skipped": dict(outcome.skipped),
        "rejections": dict(outcome.rejections),
    }


def _lines(outcome: Outcome, topic: str, done: str) -> list[str]:
    lines = [f"{topic}: {outcome.share(done)}"]
    lines += [f"  skipped {count:,}: they {why}" for count, why in outcome.skips()]
    if outcome.rejections:
        again = ", ".join(f"{name} ({n:,})" for name, n in outcome.rejections.most_common(5))
        lines.append(
            f"  rejected again: {again}. Correct the configuration; or say --no-check, where the "
            "worker's is another one"
        )
    return lines
