"""Versions: of this process, of what wrote the checkpoints, and of extras that are needed."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from serve.doctor.diagnosis import Chart
from stream.checkpoint import FORMAT
from stream.config import Config
from stream.storage.identity import libraries
from stream.storage.stored import StoredCheckpoint

EXTRAS = {
    "postgres": "psycopg",
    "parquet": "pyarrow",
    "mlflow": "mlflow-skinny",
    "otel": "opentelemetry-exporter-otlp-proto-http",
    "librdkafka": "confluent-kafka",
    "minibatch": "pandas",
}
"""Extras of riverrun, and the distribution that each brings."""


def look_at_versions(chart: Chart, config: Config) -> None:
    """Look at this process: its versions, and the extras that the configuration needs."""
    shown = ", ".join(f"{name} {number}" for name, number in libraries().items())
    there = {extra: installed(name) for extra, name in EXTRAS.items()}
    listed = ", ".join(extra for extra, found in there.items() if found) or "none"
    chart.ok("versions", f"{shown}; extras: {listed}")
    needed = {
        "postgres": config.stream.store.startswith("postgresql"),
        "mlflow": config.mlflow.tracking_uri is not None,
        "librdkafka": config.stream.broker.startswith("kafka+librdkafka"),
        "minibatch": config.model.mini_batch is not None,
    }
    for extra, is_needed in needed.items():
        if is_needed and not there[extra]:
            chart.wrong(
                "versions",
                f"the configuration needs the extra {extra!r}, which is not installed",
                f"pip install 'riverrun[{extra}]'",
            )


def look_at_writer(chart: Chart, newest: StoredCheckpoint) -> None:
    """Compare with what wrote the newest checkpoint."""
    ours, theirs = libraries(), newest.identity.libraries
    if theirs.get("river") != ours["river"]:
        chart.wrong(
            "versions",
            f"the newest checkpoint was written with River {theirs.get('river')}, and this is "
            f"{ours['river']}",
            "install that one; else the next worker learns everything anew from the log, which "
            "must still hold it",
        )
        return
    if newest.identity.format != FORMAT:
        chart.warning(
            "versions",
            f"the newest checkpoint has format {newest.identity.format}, and this riverrun writes "
            f"{FORMAT}",
            "nothing, if that is meant: the next worker learns everything anew from the log, which "
            "must still hold it (docs/upgrade.md); until then an API that runs goes on as it is",
        )
        return
    for name, parts in (("python", 2), ("numpy", 1)):
        if theirs.get(name, "").split(".")[:parts] != ours[name].split(".")[:parts]:
            chart.warning(
                "versions",
                f"the newest checkpoint was written with {name} {theirs.get(name)}, and this is "
                f"{ours[name]}",
                "look with the environment that the worker runs in",
            )


def installed(distribution: str) -> bool:
    """Return whether a distribution is installed."""
    try:
        version(distribution)
    except PackageNotFoundError:
        return False
    return True
