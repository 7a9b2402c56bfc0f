"""What two versions differ in: parameters, scores, what they were trained on, and when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from monitor.between import compare_references
from monitor.errors import DamagedError
from serve.model_exchange import full_details
from stream.build import FACTORY
from stream.config import Config
from stream.errors import PipelineError
from stream.pipelines.read import read_pipeline
from stream.storage.store import Store
from stream.watching.monitor_config import monitor_config
from stream.watching.state import read_reference

_FACTS = ("state", "created_at", "trigger", "reason", "by", "run", "seed", "fingerprint")


def diff_versions(store: Store, config: Config, before: str, after: str) -> dict[str, Any]:
    """Compare two versions.

    Parameters
    ----------
    store, config
        Of the stream.
    before, after
        Their names.

    Returns
    -------
    dict
        ``facts``, ``parameters``, ``libraries``, ``scores`` and ``trained_on``: by name, the value
        of each, where they differ; ``columns``: each in both references, those that differ
        first; ``columns_note``: why there are none.

    Raises
    ------
    UnknownVersionError, StoreError
    """
    one, other = (full_details(store, config, version) for version in (before, after))
    seed = config.model.seed
    columns, note = _columns(store, config, before, after)
    return {
        "before": before,
        "after": after,
        "facts": _changed({k: one[k] for k in _FACTS}, {k: other[k] for k in _FACTS}),
        "parameters": _changed(
            parameters(one["pipeline"], one["seed"] or seed),
            parameters(other["pipeline"], other["seed"] or seed),
        ),
        "pipelines": [one["pipeline"], other["pipeline"]],
        "libraries": _changed(one["libraries"], other["libraries"]),
        "scores": _changed(one["scores"], other["scores"]),
        "trained_on": _changed(_trained(one), _trained(other)),
        "columns": columns,
        "columns_note": note,
    }


def parameters(pipeline: str, seed: int) -> dict[str, Any]:
    """Return every parameter of a pipeline by its path; of one's own Python only its name.

    Examples
    --------
    >>> found = parameters("preprocessing.StandardScaler() | linear_model.PARegressor(C=2)", 1)
    >>> found["PARegressor.C"], found["StandardScaler"]
    (2, 'StandardScaler')
    """
    if not pipeline or pipeline.startswith(FACTORY):
        return {"factory": pipeline.removeprefix(FACTORY)} if pipeline else {}
    try:
        model = read_pipeline(pipeline, seed)
    except PipelineError:  # of another River
        return {"pipeline": pipeline}
    name, made = type(model).__name__, model._get_params()  # noqa: SLF001 (River's own clone)
    return dict(_flat("", made) if name == "Pipeline" else _flat("", {name: (type(model), made)}))


def _flat(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if isinstance(inner, Mapping):
                yield f"{path}{name}", str(name)
            yield from _flat(f"{path}{name}.", inner)
    elif isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], type):
        yield path.rstrip("."), value[0].__name__
        yield from _flat(path, value[1])
    else:
        plain = value if isinstance(value, int | float | str | None) else _text(value)
        yield path.rstrip(".").removesuffix("._POSITIONAL_ARGS"), plain


def _text(value: Any) -> str:
    return str(sorted(map(str, value))) if isinstance(value, set | frozenset) else str(value)


def _changed(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, list[Any]]:
    names = dict.fromkeys([*one, *other])
    return {n: [one.get(n), other.get(n)] for n in names if one.get(n) != other.get(n)}


def _trained(details: Mapping[str, Any]) -> dict[str, Any]:
    found = details["trained_on"] or {}
    span = found.get("range", {})
    ends = found.get("caught_up", {}).get("offsets", span.get("to", {}))
    return {
        "range": span.get("found_by"),
        "events": found.get("events"),
        "learned from": found.get("learned"),
        **{
            place: f"{at:,} to {ends.get(place, at):,}"
            for place, at in span.get("from", {}).items()
        },
    }


def _columns(
    store: Store, config: Config, before: str, after: str
) -> tuple[list[dict[str, Any]], str]:
    found = []
    for version in (before, after):
        data = store.history.reference(version)
        if data is None:
            return [], f"{version} has no reference of its own: too few events, or no monitor"
        try:
            found.append(read_reference(data))
        except DamagedError as error:
            return [], f"the reference of {version} cannot be read: {error}"
    skew = monitor_config(config.monitor, config.retrain).skew
    return [asdict(column) for column in compare_references(found[0], found[1], skew)], ""
