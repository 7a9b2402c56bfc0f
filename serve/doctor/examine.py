"""The whole examination, in the order in which one thing stands on another."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from serve.compose import read_secrets
from serve.doctor.api import look_at_api
from serve.doctor.diagnosis import Chart
from serve.doctor.log import look_at_log
from serve.doctor.shards import look_at_shards
from serve.doctor.store import look_at_store
from serve.doctor.versions import look_at_versions
from stream.config import Config
from stream.load_config import load_config
from stream.storage.stored import StoredCheckpoint

_SOME_DEAD = 0.01


def examine(path: Path, environ: Mapping[str, str], now: float) -> Chart:
    """Look at a stream and all it stands on. Changes nothing; blocks for some seconds.

    Parameters
    ----------
    path
        The configuration file.
    environ
        Where secrets are.
    now
        Seconds since the epoch.

    Raises
    ------
    ConfigError
        Where there is no configuration to look by.
    """
    chart = Chart()
    config, secrets = load_config(path), read_secrets(environ)
    chart.ok("configuration", f"{path}: stream {config.stream.name!r}, {config.model.task}")
    look_at_versions(chart, config)
    _pipeline(chart, config, path)
    newest = look_at_store(chart, config, secrets, str(path), now)
    look_at_log(chart, config, secrets, newest, now)
    look_at_shards(chart, config, secrets, now)
    if newest is not None:
        _dead_letters(chart, config, newest)
    look_at_api(chart, config, secrets)
    return chart


def _pipeline(chart: Chart, config: Config, path: Path) -> None:
    from stream.build import build_model

    with chart.looking_at("pipeline", "correct [model]; 'riverrun check' shows what is built"):
        build_model(config, str(path))
        chart.ok("pipeline", "it can be built")


def _dead_letters(chart: Chart, config: Config, newest: StoredCheckpoint) -> None:
    counts = newest.status["counts"]
    read, dead = counts["read"], counts["dead_lettered"]
    share = dead / read if read else 0.0
    reasons = sorted(newest.status["dead_letter_reasons"].items(), key=lambda item: -item[1])
    often = ", ".join(f"{reason} ({count:,})" for reason, count in reasons[:3])
    text = f"{dead:,} of {read:,} records ({share:.1%})"
    advice = "riverrun dead-letters list; mend the producer or the schema, then replay them"
    if share > config.dead_letters.max_share / 2:
        chart.wrong("dead letters", f"{text}, most often {often}", advice)
    elif share > _SOME_DEAD:
        chart.warning("dead letters", f"{text}, most often {often}", advice)
    else:
        chart.ok("dead letters", text)
