"""The checks of ``riverrun check``: each finds something, or says what is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from serve.cli.checks_access import access_summary
from serve.compose import (
    Secrets,
    open_stream_log,
    open_stream_store,
    prepare_topics,
    read_secrets,
)
from stream.config import Config
from stream.errors import RiverrunError, TopicNotFoundError
from stream.load_config import load_config
from stream.log import Log

_LONGEST_MODEL = 200


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Parameters
    ----------
    check
        What was looked at.
    ok
        Whether it is as it should be.
    found
        What is there, or what is wrong and what to do.
    exit_code
        What the command leaves with for it.
    """

    check: str
    ok: bool
    found: str
    exit_code: int = 0


def run_checks(path: Path, environ: Mapping[str, str], create_topics: bool) -> list[Finding]:
    """Check everything, and return what was found, in order.

    Parameters
    ----------
    path
        The configuration file.
    environ
        Where secrets are.
    create_topics
        Create those that are missing.
    """
    findings: list[Finding] = []
    config, secrets = None, None
    with _reported(findings, "configuration"):
        config = load_config(path)
        findings.append(Finding("configuration", True, _summary(config)))
    with _reported(findings, "secrets"):
        secrets = read_secrets(environ)
    if config is None or secrets is None:
        return findings
    with _reported(findings, "access"):
        findings.append(Finding("access", True, access_summary(config, secrets)))
    with _reported(findings, "pipeline"):
        findings.append(Finding("pipeline", True, _build(config, path)))
    _check_monitor(config, path, secrets, findings)
    _check_log(config, secrets, create_topics, findings)
    with _reported(findings, "store"):
        findings.append(Finding("store", True, _look_into_store(config, secrets)))
    return findings


@contextmanager
def _reported(findings: list[Finding], check: str) -> Iterator[None]:
    """Make a finding of an error, so that the next check can go on."""
    try:
        yield
    except RiverrunError as error:
        findings.append(Finding(check, False, str(error), error.exit_code))


def _summary(config: Config) -> str:
    event = config.event
    features = "all other fields" if event.features is None else f"{len(event.features)} features"
    roles = [
        f"{name} {value!r}"
        for name, value in (("id", event.id), ("time", event.time), ("label", event.label))
        if value is not None
    ]
    return f"stream {config.stream.name!r}, {config.model.task}; {', '.join([*roles, features])}"


def _build(config: Config, path: Path) -> str:
    from stream.build import build_model

    model, metrics = build_model(config, str(path))
    shown = " ".join(str(model).split())
    shown = shown if len(shown) <= _LONGEST_MODEL else f"{shown[:_LONGEST_MODEL]}..."
    return f"{shown}; metrics {', '.join(metrics)}"


def _check_monitor(config: Config, path: Path, secrets: Secrets, findings: list[Finding]) -> None:
    from serve.cli.checks_monitor import read_schema_file, schema_summary, segments_summary

    schema = None
    with _reported(findings, "schema"):
        schema = read_schema_file(config, path)
        findings.append(Finding("schema", True, schema_summary(config, schema)))
    if config.monitor.enabled and config.monitor.segments is not None:
        with _reported(findings, "segments"):
            found = segments_summary(config, path, secrets, schema)
            findings.append(Finding("segments", True, found))


def _check_log(
    config: Config, secrets: Secrets, create_topics: bool, findings: list[Finding]
) -> None:
    with _reported(findings, "log"), closing(open_stream_log(config, secrets)) as log:
        known = log.topics()
        findings.append(Finding("log", True, f"{log.url}: {len(known)} topics"))
        made: list[str] = []
        with _reported(findings, "topics"), suppress(TopicNotFoundError):
            made = prepare_topics(config, log, create=True if create_topics else None)
        known = log.topics()
        for topic in config.topic_names:
            with _reported(findings, "topic"):
                note = " (created)" if topic in made else ""
                findings.append(Finding("topic", True, _describe(log, topic, known) + note))
        if config.stream.shards == "partition":
            with _reported(findings, "shards"):
                findings.append(Finding("shards", True, _shards(config, log)))


def _shards(config: Config, log: Log) -> str:
    from stream.sharding.fit import shard_count

    return f"{_plural(shard_count(config, log), 'shard')}; labels find their events"


def _describe(log: Log, topic: str, known: Mapping[str, int]) -> str:
    if topic not in known:
        raise TopicNotFoundError(topic, log.url, list(known))
    with closing(log.source([topic])) as source:
        bounds = source.bounds()
    records = sum(held.end - held.earliest for held in bounds.values())
    return f"{topic}: {_plural(len(bounds), 'partition')}, {_plural(records, 'record')}"


def _look_into_store(config: Config, secrets: Secrets) -> str:
    with closing(open_stream_store(config, secrets)) as store:
        if config.stream.shards == "partition":
            begun = sum(shard.newest is not None for shard in store.sharding.all())
            return f"{store.url}: {_plural(begun, 'shard')} with checkpoints"
        newest = store.newest()
        if newest is None:
            return f"{store.url}: no checkpoint yet"
        learned = newest.status["counts"]["learned"]
        return f"{store.url}: checkpoint {newest.number} of {newest.version}, learned {learned:,}"


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
