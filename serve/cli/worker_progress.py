"""The worker's line on a terminal: what it does, once or twice a second."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import structlog

from serve.cli.console import messages
from serve.cli.options import DEFAULT_CONFIG
from stream.config import Config

if TYPE_CHECKING:
    from stream.line import Line
    from stream.watching.watch import Watch

_EVERY_SECONDS = 1.0

_log = structlog.get_logger("riverrun.worker")


class WorkerProgress:
    """Called after every turn; draws on a terminal, and says once where nothing comes.

    Parameters
    ----------
    config
        The stream's.
    path
        Its file, for the command that is suggested.
    """

    def __init__(self, config: Config, path: Path) -> None:
        self._config = config
        self._path = path
        self._live: Any = None
        self._told = False
        self._at = time.monotonic()
        self._events = -1

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            from rich.live import Live

            self._live = Live("", console=messages(), transient=True, auto_refresh=False)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def __call__(self, line: Line) -> None:
        """Take note of a turn."""
        if not (self._told or line.counts.events):
            self._told = True
            option = "" if self._path == DEFAULT_CONFIG else f" --config {self._path}"
            _log.info(
                "waiting",
                topic=self._config.events_topic,
                hint=f"no events yet; send some with: riverrun produce FILE{option}",
            )
        now = time.monotonic()
        if self._live is None or now - self._at < _EVERY_SECONDS:
            return
        first = self._events < 0
        rate = 0.0 if first else (line.counts.events - self._events) / (now - self._at)
        self._at, self._events = now, line.counts.events
        self._live.update(self._text(line, rate), refresh=True)

    def _text(self, line: Line, rate: float) -> Any:
        from rich.text import Text

        counts = line.counts
        parts = [
            f"{counts.events:,} events ({rate:,.0f}/s)",
            f"learned {counts.learned:,}",
            f"pending {len(line.pending):,}",
        ]
        if counts.dead_lettered:
            parts.append(f"dead letters {counts.dead_lettered:,}")
        scores = line.scores.summary()
        name = self._config.metric_names[0]
        model, usual = scores["model"][name], scores["no_change"][name]
        if line.scores.scored and model is not None and usual is not None:
            parts.append(f"{name} {model:.4g} (no change {usual:.4g})")
        if line.watch is not None:
            paused = f", {counts.unlearned:,} not learned" if line.watch.is_halted else ""
            parts.append(f"monitor {_monitor(line.watch)}{paused}")
        return Text("  ".join(parts), no_wrap=True, overflow="ellipsis")


def _monitor(watch: Watch) -> str:
    from serve.cli.monitor_view import brief

    alarms = [name for _, name in watch.last.summary.alarms] if watch.last else []
    warm_up = None if watch.is_warm else len(watch.first.events) / watch.config.warmup_events
    return brief(watch.monitor.trigger.state.value, watch.totals.panes, alarms, warm_up)
