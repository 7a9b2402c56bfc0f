"""The demo: a year of flights played to the log, while a worker learns and the API answers.

Worker and API are the same processes that ``riverrun up`` runs; this one plays the replay and
looks at the store.
"""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any

from serve.api.errors import PortInUseError
from serve.children import Children
from serve.compose import Secrets, open_stream_log, open_stream_store, prepare_topics
from serve.demo.config import demo_config_text
from serve.demo.fault import Break, fault_of, faulty
from serve.demo.flights import find_flights, replay
from serve.demo.news import News
from serve.demo.pace import Pace
from serve.demo.player import Player
from serve.demo.view import View
from serve.status_reading import shown_status
from stream.config import Config
from stream.errors import InputError
from stream.load_config import load_config
from stream.log import Log
from stream.storage.store import Store

_LOOK_EVERY_SECONDS = 0.5
_PAUSE_SECONDS = 0.02
_PORTS = 50


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What the demo is to do.

    Parameters
    ----------
    events
        How many flights; None for the year.
    speed
        Milliseconds of event time in a second; None for as fast as it goes.
    leave
        Whether to end when everything is learned; otherwise the API stays.
    api
        Whether to start the API.
    port
        The first one that is tried.
    broker, store
        URLs; None for files in a folder of the demo's own.
    name
        Of the stream; None for one that no other run has.
    keep
        Whether the folder stays.
    fault
        What is broken on purpose; None for nothing.
    """

    events: int | None
    speed: float | None
    leave: bool
    api: bool
    port: int
    broker: str | None = None
    store: str | None = None
    name: str | None = None
    keep: bool = False
    fault: Break | None = None


def run_demo(
    options: DemoOptions, secrets: Secrets, view: View, asked: Callable[[], bool]
) -> dict[str, Any] | None:
    """Run the demo until its end, or until it is asked to stop.

    Parameters
    ----------
    options, secrets
        What to do.
    view
        Shows it.
    asked
        Whether to stop.

    Returns
    -------
    dict or None
        The last status; None when it was stopped before there was one.

    Raises
    ------
    RiverrunError
        When the data are missing, the log or the store cannot be reached, or a child died.
    """
    flights = find_flights()
    with _folder(options, view) as folder:
        config, path = _configure(options, folder, view)
        with (
            closing(open_stream_log(config, secrets)) as log,
            closing(open_stream_store(config, secrets)) as store,
        ):
            prepare_topics(config, log, create=True)
            fault = None if options.fault is None else fault_of(options.fault)
            if fault is not None:
                view.say(fault.announcement())
            messages = faulty(replay(flights, options.events), fault, view.say)
            player = Player(messages, log.sink(), config, options.speed)
            with Children(view.echo) as children, view:
                look = "console" if sys.stderr.isatty() else "json"
                # What the monitor finds is told as news, which has the days of the flights.
                common = ["--config", str(path), "--log-level", "error", "--log-format", look]
                children.start("worker", *common)
                if options.api:
                    children.start("api", *common)
                _play(options, config, log, store, player, children, view, asked)
                children.stop()
            newest = store.newest()
            return None if newest is None else shown_status(newest, time.time())


def _play(
    options: DemoOptions,
    config: Config,
    log: Log,
    store: Store,
    player: Player,
    children: Children,
    view: View,
    asked: Callable[[], bool],
) -> None:
    looked, news = 0.0, News(store)
    pace = Pace(store, config.retrain.min_events, time.monotonic())
    ends: dict[str, int] | None = None
    is_up = not options.api
    while not asked():
        now = time.monotonic()
        sent = player.step(pace.tick(now))
        if player.done and ends is None:
            ends = _ends(config, log)
        if now - looked >= _LOOK_EVERY_SECONDS:
            looked = now
            children.check()
            if not is_up and (is_up := _answers(config)):
                view.api_is_up(config)
            newest = store.newest()
            status = None if newest is None else newest.status
            # As fast as it goes is as fast as it goes: nobody is waited for.
            pace.look(status, 0 if options.speed is None else player.unread(status))
            for line in news.lines(status):
                view.say(line)
            view.show(status, player, pace)
            if ends is not None and status is not None and _has_read(status, ends):
                if options.leave:
                    return
                view.all_learned()
        if not sent:
            time.sleep(_PAUSE_SECONDS)


def _ends(config: Config, log: Log) -> dict[str, int]:
    """Return where each partition ends, once everything is durable."""
    with closing(log.source([config.events_topic, config.labels_topic])) as source:
        return {str(place): held.end for place, held in source.bounds().items()}


def _has_read(status: dict[str, Any], ends: dict[str, int]) -> bool:
    offsets = status["offsets"]
    return all(offsets.get(place, 0) >= end for place, end in ends.items())


def _configure(options: DemoOptions, folder: Path, view: View) -> tuple[Config, Path]:
    """Write the configuration file, and read it as every command would."""
    shared = options.broker is not None or options.store is not None
    name = options.name or (_new_name() if shared else "flights")
    port = _free_port(options.port) if options.api else options.port
    if port != options.port:
        view.say(f"port {options.port} is taken; the API uses {port}")
    path = folder / "riverrun.toml"
    broker = options.broker or f"sqlite:///{folder / 'log.db'}"
    store = options.store or f"sqlite:///{folder / 'riverrun.db'}"
    text = demo_config_text(name, broker, store, port, options.fault)
    path.write_text(text, encoding="utf-8")
    return load_config(path), path


def _new_name() -> str:
    """Return a name that no other run has, for topics and a store that several share."""
    return f"flights-{time.strftime('%Y%m%d-%H%M%S')}-{token_hex(2)}"


@contextmanager
def _folder(options: DemoOptions, view: View) -> Iterator[Path]:
    try:
        folder = Path(mkdtemp(prefix="riverrun-demo-"))
    except OSError as error:
        raise InputError(
            f"the demo needs a folder for its files: {error}; name one that can be written in the "
            "environment variable TMPDIR"
        ) from None
    view.say(f"configuration, log and store: {folder}")
    try:
        yield folder
    finally:
        if options.keep:
            view.say(f"everything stays in {folder}")
        else:
            rmtree(folder, ignore_errors=True)
            view.say(f"removed {folder} (--keep would have kept it)")


def _free_port(first: int) -> int:
    """Return the first port from there on that nothing listens on; 0 stays 0's pick."""
    for port in range(first, min(first + _PORTS, 65_536)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise PortInUseError("127.0.0.1", first)


def _answers(config: Config) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex((config.api.host, config.api.port)) == 0
