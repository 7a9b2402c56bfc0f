"""The store: reachable, its size and its disk; checkpoints that are whole, and load."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

from serve.compose import Secrets, open_stream_store
from serve.doctor.diagnosis import Chart
from serve.doctor.versions import look_at_writer
from serve.status_reading import missing_file
from stream.config import Config
from stream.errors import RiverrunError
from stream.redact import without_secrets
from stream.storage.store import Store
from stream.storage.stored import StoredCheckpoint

_MIB = 1 << 20
LEAST_FREE = 200 * _MIB
"""Free bytes on the store's disk below which something is wrong."""


def look_at_store(
    chart: Chart, config: Config, secrets: Secrets, where: str, now: float
) -> StoredCheckpoint | None:
    """Look at the store and its checkpoints; return the newest one, where it can be had.

    Parameters
    ----------
    chart
        Takes what is found.
    config, secrets
        Of the stream.
    where
        Names the configuration.
    now
        Seconds since the epoch.
    """
    if (path := missing_file(config.stream.store)) is not None:
        chart.wrong(
            "store",
            f"{path} does not exist",
            "start a worker, which makes it, or correct stream.store",
        )
        return None
    shown = without_secrets(config.stream.store)
    with (
        chart.looking_at("store", f"start the database, or correct stream.store ({shown})"),
        closing(open_stream_store(config, secrets)) as store,
    ):
        size = store.size_bytes()
        chart.ok("store", f"{store.url}: {size / _MIB:,.1f} MiB")
        _disk(chart, config, size)
        _clock(chart, store, now)
        if config.stream.shards == "partition":
            return None  # look_at_shards has more to say of them
        kept = store.checkpoints()
        if not kept:
            chart.warning("checkpoints", "there is none yet", "start a worker: riverrun worker")
            return None
        _checkpoints(chart, config, store, kept, where, now)
        _seals(chart, config, secrets)
        look_at_writer(chart, kept[0])
        _halted(chart, store, kept[0])
        _told(chart, store)
        return kept[0]
    return None


def _disk(chart: Chart, config: Config, size: int) -> None:
    if not config.stream.store.startswith("sqlite"):
        chart.skipped("disk", "the database's disk is not seen from here; watch it there")
        return
    folder = Path(config.stream.store.removeprefix("sqlite:///")).resolve().parent
    free = shutil.disk_usage(folder).free
    text = f"{free / _MIB:,.0f} MiB are free beside a store of {size / _MIB:,.0f} MiB"
    if free < LEAST_FREE:
        chart.wrong("disk", text, "make room: a worker that cannot write stops")
    elif free < size:
        chart.warning("disk", text, "make room: the store cannot double, nor be copied there")
    else:
        chart.ok("disk", text)


def _clock(chart: Chart, store: Store, now: float) -> None:
    theirs = store.database_time()
    if theirs is not None and abs(theirs - now) > 5:
        chart.wrong(
            "store clock",
            f"the database's clock differs from this machine's by {theirs - now:+,.0f} s",
            "set both by NTP: ages, schedules and sessions go by them",
        )


def _checkpoints(
    chart: Chart,
    config: Config,
    store: Store,
    kept: list[StoredCheckpoint],
    where: str,
    now: float,
) -> None:
    damaged: list[str] = []
    loads = ""
    for stored in kept:
        try:
            snapshot, chunks = store.load(stored)
            if not loads and not damaged:
                loads = _load(config, where, stored, snapshot, chunks)
        except RiverrunError as error:
            damaged.append(str(error))
    if damaged:
        chart.wrong(
            "checkpoints",
            f"{len(damaged)} of {len(kept)} cannot be trusted: {damaged[0]}",
            "set the RIVERRUN_SECRET that they were signed with; a worker passes over damaged "
            "ones, and where none is whole, restore a backup or start it with --rebuild",
        )
        return
    age = now - kept[0].created_at
    if loads:
        chart.wrong(
            "checkpoints",
            f"checkpoint {kept[0].number} is whole and does not load here: {loads}",
            "look with the worker's environment; else start it with --rebuild",
        )
        return
    chart.ok(
        "checkpoints",
        f"{len(kept)} are kept, whole and readable; the newest is {kept[0].number} of "
        f"{kept[0].version}, {age:,.0f} s old",
    )


def _load(
    config: Config, where: str, stored: StoredCheckpoint, snapshot: object, chunks: object
) -> str:
    """Return why a verified checkpoint cannot be gone on from here; empty where it can."""
    from stream.build import line_factory
    from stream.checkpoint import Snapshot
    from stream.snapshot import restore
    from stream.storage.identity import identity_of, why_unreadable

    ours = identity_of(config)
    if why_unreadable(stored.identity, ours) is not None:
        return ""  # said of versions; such a pickle is not loaded
    if stored.identity.fingerprint != ours.fingerprint:
        return "it was learned with another pipeline, task, metrics or event mapping"
    assert isinstance(snapshot, Snapshot)  # noqa: S101
    try:
        restore(line_factory(config, where)(stored.version), snapshot, chunks)  # type: ignore[arg-type]
    except RiverrunError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 (unpickling may raise anything)
        return f"{type(error).__name__}: {error}"
    return ""


def _seals(chart: Chart, config: Config, secrets: Secrets) -> None:
    if secrets.signing is not None:
        chart.ok("signing", "checkpoints are signed with RIVERRUN_SECRET")
    elif config.stream.store.startswith("sqlite"):
        chart.ok("signing", "checkpoints are not signed: whoever writes the file is trusted")
    else:
        chart.warning(
            "signing",
            "checkpoints are not signed, and others may write to this database",
            "set RIVERRUN_SECRET for worker and API: what is unpickled is then only what they "
            "wrote",
        )


def _halted(chart: Chart, store: Store, newest: StoredCheckpoint) -> None:
    last = next((one for one in store.happenings(limit=100) if one["kind"] == "halted"), None)
    monitor = newest.status.get("monitor") or {}
    if last is not None and last["at"] >= newest.created_at - 1:
        chart.wrong(
            "halted",
            f"the worker stopped on purpose: {last['detail'].get('message')}",
            "mend what it names, start it again (docs/runbook.md#riverrunhalted)",
        )
    elif monitor.get("state") == "HALTED":
        chart.wrong(
            "halted",
            "learning is paused: more of a pane breaks the schema than monitor.halt_share",
            "mend the producer, or correct the schema (docs/runbook.md#riverrunlearningpaused)",
        )
    else:
        chart.ok("halted", "neither the worker nor learning has stopped")


def _told(chart: Chart, store: Store) -> None:
    for name, one in store.outbox.deliveries().items():
        if one.last_error is not None and one.waiting:
            chart.wrong(
                "alerts",
                f"{one.waiting} wait for {name}: {one.last_error}",
                "mend the receiver, then 'riverrun alerts test'",
            )
        elif one.dropped:
            chart.warning(
                "alerts", f"{one.dropped} for {name} were given up", "riverrun alerts list"
            )
