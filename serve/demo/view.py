"""What the demo shows: a live table on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Self

from serve.cli.console import messages
from serve.cli.monitor_view import brief_of
from serve.cli.status_view import number
from serve.demo.pace import Pace
from serve.demo.player import Player
from stream.config import Config

_LINE_EVERY_SECONDS = 5.0
_YEAR_BEGIN, _YEAR_END = 1_357_016_400_000, 1_388_552_400_000  # 2013 in New York, as UTC

EXAMPLE_EVENT = {
    "flight_id": "my-first-flight",
    "scheduled": "2013-07-04T21:30:00Z",
    "carrier": "UA",
    "origin": "EWR",
    "dest": "ORD",
    "distance": 719,
    "hour": 17,
    "weekday": "Thu",
    "temp": 88.0,
    "humid": 62.0,
    "wind_speed": 11.5,
    "precip": 0.1,
    "visib": 6.0,
}


class View:
    """Shows the demo on standard error.

    Parameters
    ----------
    total
        Events that will be played.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._console = messages()
        self._live: Any = None
        self._begin = time.monotonic()
        self._line_at = self._begin
        self._seen: tuple[float, int] | None = None
        self._rate = 0.0
        self._told_end = False

    def __enter__(self) -> Self:
        self._begin = self._line_at = time.monotonic()
        if sys.stderr.isatty():
            from rich.live import Live

            self._live = Live("starting", console=self._console, auto_refresh=False)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def say(self, text: str) -> None:
        """Write a message above what is live."""
        self._console.print(text, markup=False, soft_wrap=True)

    def echo(self, line: str) -> None:
        """Write a line that a child printed."""
        self.say(line)

    def api_is_up(self, config: Config) -> None:
        """Say where the API is, with a command to try."""
        base = f"http://{config.api.host}:{config.api.port}"
        body = json.dumps({"event": EXAMPLE_EVENT, "record": False})
        self.say(f"dashboard: {base}/")
        self.say(f"the API answers at {base} (docs: {base}/docs, metrics: {base}/metrics); try:")
        self.say(
            f"curl -s {base}/v1/streams/{config.stream.name}/predict "
            f"-H 'Content-Type: application/json' -d '{body}'"
        )

    def all_learned(self) -> None:
        """Say, once, that the replay is over."""
        if not self._told_end:
            self._told_end = True
            self.say("everything was played and learned; the API stays until Ctrl-C")

    def show(self, status: Mapping[str, Any] | None, player: Player, pace: Pace) -> None:
        """Show how far it is.

        Parameters
        ----------
        status
            Of the newest checkpoint.
        player
            Sends the flights.
        pace
            Says whether the replay goes slower, and why.
        """
        now = time.monotonic()
        if status is not None:
            self._measure(now, status["counts"]["events"])
        if self._live is not None:
            self._live.update(self._table(status, player, pace), refresh=True)
        elif status is not None and now - self._line_at >= _LINE_EVERY_SECONDS:
            self._line_at = now
            self.say(
                "  ".join(f"{name}: {value}" for name, value in self._facts(status, player, pace))
            )

    def _measure(self, now: float, events: int) -> None:
        """Take the rate from one checkpoint to another: between them nothing is known."""
        if self._seen is None:
            self._seen = (now, events)
        elif events != self._seen[1]:
            self._rate = (events - self._seen[1]) / (now - self._seen[0])
            self._seen = (now, events)

    def _facts(
        self, status: Mapping[str, Any], player: Player, pace: Pace
    ) -> list[tuple[str, str]]:
        counts = status["counts"]
        facts = [
            ("date", _date(status["watermark"])),
            ("events", f"{counts['events']:,} of {self._total:,}"),
            ("per second", f"{self._rate:,.0f}"),
            ("learned", f"{counts['learned']:,}"),
            ("pending", f"{counts['pending']:,}"),
            ("unread", _unread(player.unread(status), pace)),
        ]
        if status.get("monitor") is not None:
            facts.append(("monitor", brief_of(status["monitor"])))
        if (run := (status.get("retrain") or {}).get("run")) is not None:
            facts.append(("run", _run(run, pace)))
        return facts + [
            (f"ROC AUC {name}", _with_baselines(scores))
            for name, scores in (
                (f"of the last {status['rolling']['window']:,}", status["rolling"]["scores"]),
                ("of all", status["scores"]),
            )
            if scores
        ]

    def _table(self, status: Mapping[str, Any] | None, player: Player, pace: Pace) -> Any:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        if status is None:
            return Text(f"starting; {player.events:,} flights have left")
        grid = Table.grid(padding=(0, 3, 0, 0))
        for name, value in self._facts(status, player, pace):
            grid.add_row(Text(name, "dim"), value)
        bar = Table.grid()
        bar.add_row(ProgressBar(self._total, completed=status["counts"]["events"], width=60))
        return Group(Text("New York departures of 2013: more than 15 minutes late?"), bar, grid)


def _date(watermark: int | None) -> str:
    if watermark is None:
        return "-"
    share = (watermark - _YEAR_BEGIN) / (_YEAR_END - _YEAR_BEGIN)
    moment = datetime.fromtimestamp(watermark / 1000, UTC)
    return f"{moment:%Y-%m-%d %H:%M} UTC ({max(0.0, share):.0%} of the year)"


def _unread(messages: int, pace: Pace) -> str:
    return f"{messages:,}" + (" (the flights wait for the worker)" if pace.stands else "")


def _run(run: Mapping[str, Any], pace: Pace) -> str:
    labels = max((shadow["gate"]["labels"] for shadow in run["shadows"]), default=0)
    text = f"{run['number']}, {run['version']}, {run['phase']}"
    if run["shadows"]:
        text += f", {labels:,} labels of {run['labels_wanted']:,} to {run['labels_at_most']:,}"
    slowed = pace.slowed
    return text if slowed is None else f"{text} (the flights go slower while {slowed} trains)"


def _with_baselines(scores: Mapping[str, Mapping[str, float | None]]) -> str:
    texts = [
        f"{name.replace('_', ' ')} {number(score['ROCAUC'])}" for name, score in scores.items()
    ]
    return f"{texts[0]} ({', '.join(texts[1:])})"
