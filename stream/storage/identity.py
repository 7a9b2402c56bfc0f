"""What a checkpoint was made with: the pipeline's fingerprint and the libraries' versions."""

from __future__ import annotations

import json
import platform
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from stream.checkpoint import FORMAT
from stream.config import Config
from stream.pipelines.factory import source_of
from stream.pipelines.read import canonical
from stream.storage.store import Identity


def identity_of(config: Config) -> Identity:
    """Return the identity of what this process would write for a configuration.

    Examples
    --------
    >>> config = Config(
    ...     stream={"name": "s"},
    ...     event={"label": "y"},
    ...     model={"task": "binary", "pipeline": "linear_model.LogisticRegression()"},
    ... )
    >>> sorted(identity_of(config).libraries)
    ['numpy', 'python', 'river', 'riverrun']
    """
    return Identity(fingerprint(config), FORMAT, libraries())


def fingerprint(config: Config) -> str:
    """Return two digests, of how events are read and of what learns from them.

    Spaces and quotes in the pipeline do not matter; its parts, parameters and seed do, and the code
    of a factory's module. Of the rest, the task, the classes, the metrics and the mapping of events
    do.
    """
    model, event = config.model, config.event
    pipeline = model.factory if model.pipeline is None else canonical(model.pipeline)
    learns: dict[str, Any] = {"pipeline": pipeline, "seed": model.seed}
    if model.mini_batch is not None:
        learns["mini_batch"] = model.mini_batch
    if model.per is not None:
        learns["per"] = [model.per, model.per_feature, model.per_begin]
    if model.factory is not None:
        learns["code"] = sha256(source_of(model.factory)).hexdigest()
    reads = {
        "task": model.task,
        "classes": model.classes,
        "metrics": config.metric_names,
        "event": [event.id, event.time, event.label, event.features, event.nulls],
        "types": sorted(event.types.items()),
    }
    return f"{_digest(reads)}.{_digest(learns)}"


def why_unreadable(theirs: Identity, ours: Identity) -> str | None:
    """Return why the pickles of a checkpoint cannot be trusted to load here, or None.

    Parameters
    ----------
    theirs
        What the checkpoint was made with.
    ours
        What this process would write.

    Examples
    --------
    >>> ours = Identity("a.b", 3, {"river": "0.26.1"})
    >>> why_unreadable(Identity("a.b", 2, {"river": "0.26.1"}), ours)
    'the checkpoint format 2 became 3'
    """
    if theirs.libraries.get("river") != ours.libraries["river"]:
        return f"River {theirs.libraries.get('river')} became {ours.libraries['river']}"
    if theirs.format != ours.format:
        return f"the checkpoint format {theirs.format} became {ours.format}"
    return None


def _digest(data: dict[str, Any]) -> str:
    return sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:32]


def libraries() -> dict[str, str]:
    """Return the versions that pickles depend on."""
    return {
        "river": version("river"),
        "numpy": version("numpy"),
        "python": platform.python_version(),
        "riverrun": _own_version(),
    }


def _own_version() -> str:
    try:
        return version("riverrun")
    except PackageNotFoundError:
        return "uninstalled"
