"""``riverrun api --workers``: one socket, several processes, and one that looks after them."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog
from prometheus_client.multiprocess import mark_process_dead

from serve.api.auth.open_access import open_access, refuse_open_network
from serve.api.auth.tls import tls_context
from serve.api.run_api import url_of
from serve.api.workers.share import metrics_folder, ready_file
from serve.children import ChildDiedError, Children, Ended
from serve.compose import Secrets, open_stream_log, open_stream_store, prepare_topics
from serve.listening import listen
from stream.config import Config

_log = structlog.get_logger("riverrun.api")

_LOOK_SECONDS = 0.1
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 30.0
_LONG_LIFE = 60.0


@dataclass(slots=True)
class _Slot:
    """The place of one process.

    Parameters
    ----------
    number
        From 0 on.
    pid
        Of the process; None while none runs.
    started
        When it was started, by the monotonic clock.
    deaths
        How often one ended that had not lived long.
    again_at
        When the next one is started.
    """

    number: int
    pid: int | None = None
    started: float = 0.0
    deaths: int = 0
    again_at: float = 0.0
    was_ready: bool = False


def run_workers(
    config: Config,
    secrets: Secrets,
    count: int,
    arguments: Sequence[str],
    should_stop: Callable[[], bool],
    echo: Callable[[str], None],
) -> int:
    """Serve a stream by several processes until told to stop.

    One that dies is started again, after a pause that grows while they die young. One that
    never came to answer requests ends all: its own message says why.

    Parameters
    ----------
    config, secrets
        Of the stream. What is wrong with them is said once, here.
    count
        How many processes.
    arguments
        Of ``riverrun api``, for each of them.
    should_stop
        Asked ten times a second.
    echo
        Called with each line that they print.

    Returns
    -------
    int
        The highest of their exit codes.

    Raises
    ------
    ChildDiedError
        Where one could not start.
    RiverrunError
        As ``run_api``.
    """
    refuse_open_network(config, secrets.api_keys)
    tls = tls_context(config.api)
    with closing(listen(config.api.host, config.api.port)) as listener:
        with closing(open_stream_log(config, secrets)) as log:
            prepare_topics(config, log)
        with closing(open_stream_store(config, secrets)) as store:
            secret = secrets.signing or store.shared_secret()
            open_access(config, secrets.api_keys, secret)
        with _folder() as folder, Children(echo) as children:
            supervisor = _Supervisor(children, folder, listener.fileno(), arguments, count)
            supervisor.start()
            _log.info("serving", url=url_of(listener, tls is not None), workers=count)
            while not should_stop():
                supervisor.look()
                time.sleep(_LOOK_SECONDS)
            return children.stop()


class _Supervisor:
    """Starts processes, and starts them again."""

    def __init__(
        self, children: Children, folder: Path, listener: int, arguments: Sequence[str], count: int
    ) -> None:
        self._children = children
        self._folder = folder
        self._listener = listener
        self._arguments = arguments
        self._slots = [_Slot(number) for number in range(count)]

    def start(self) -> None:
        """Start all of them."""
        for slot in self._slots:
            self._start(slot)

    def look(self) -> None:
        """See who has ended, and start those whose pause is over.

        Raises
        ------
        ChildDiedError
        """
        ended = {one.pid: one for one in self._children.ended()}
        now = time.monotonic()
        for slot in self._slots:
            if slot.pid is None:
                if now >= slot.again_at:
                    self._start(slot)
                continue
            slot.was_ready |= self._is_ready(slot)
            if slot.pid in ended:
                self._bury(slot, ended[slot.pid], now)

    def _start(self, slot: _Slot) -> None:
        ready_file(self._folder, slot.number).unlink(missing_ok=True)
        slot.pid = self._children.start(
            "api",
            *self._arguments,
            *("--listen-fd", str(self._listener)),
            *("--share", str(self._folder)),
            *("--slot", str(slot.number)),
            label=f"api {slot.number}",
            fds=(self._listener,),
            env={"PROMETHEUS_MULTIPROC_DIR": str(metrics_folder(self._folder))},
        )
        slot.started = time.monotonic()

    def _bury(self, slot: _Slot, ended: Ended, now: float) -> None:
        # What it has counted stays; what it was does not.
        mark_process_dead(ended.pid, str(metrics_folder(self._folder)))  # type: ignore[no-untyped-call]
        ready_file(self._folder, slot.number).unlink(missing_ok=True)
        if not slot.was_ready:
            raise ChildDiedError(ended.name, ended.code)
        slot.deaths = 0 if now - slot.started > _LONG_LIFE else slot.deaths + 1
        wait = min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** max(0, slot.deaths - 1))
        slot.pid, slot.again_at = None, now + wait
        _log.error("worker_died", worker=slot.number, code=ended.code, again_in=wait)

    def _is_ready(self, slot: _Slot) -> bool:
        try:
            text = ready_file(self._folder, slot.number).read_text(encoding="ascii")
        except OSError:
            return False
        return text == str(slot.pid)


@contextmanager
def _folder() -> Iterator[Path]:
    """Make the folder that the processes share, and take it away afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="riverrun-"))
    try:
        metrics_folder(folder).mkdir()
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
