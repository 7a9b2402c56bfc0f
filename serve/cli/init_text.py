"""The text of a configuration file: what was guessed, and every default commented out."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, BeforeValidator
from pydantic.fields import FieldInfo

from serve.tabular.guess import Guess
from stream.config import Config
from stream.sections import DEFAULT_METRICS, Task
from stream.units import format_duration, parse_duration

_MODELS = {
    "binary": "linear_model.LogisticRegression()",
    "multiclass": "linear_model.SoftmaxRegression()",
    # Without the bound, a feature that changes after a long constant time blows up the weights.
    "regression": (
        "preprocessing.TargetStandardScaler(linear_model.LinearRegression(clip_gradient=1))"
    ),
}
_NUMBERS = "compose.SelectType(int, float) | preprocessing.StandardScaler()"
_TEXTS = "compose.SelectType(str) | preprocessing.OneHotEncoder()"


def pipeline_for(task: str, types: Mapping[str, str]) -> str:
    """Return a River pipeline that suits features of these types.

    Examples
    --------
    >>> pipeline_for("binary", {"x": "float"})
    'preprocessing.StandardScaler() | linear_model.LogisticRegression()'
    """
    kinds = {"str" if kind == "str" else "number" for kind in types.values()}
    model = _MODELS[task]
    if kinds == {"number"}:
        return f"preprocessing.StandardScaler() | {model}"
    if kinds == {"str"}:
        return f"preprocessing.OneHotEncoder() | {model}"
    return f"({_TEXTS}) + ({_NUMBERS}) | {model}"


def config_text(guess: Guess, name: str, source: str, rows: int) -> str:
    """Return a commented ``riverrun.toml`` for a sample.

    Parameters
    ----------
    guess
        What the sample seems to be.
    name
        Of the stream.
    source, rows
        The sample's file and how many of its rows were looked at.
    """
    given: dict[str, dict[str, Any]] = {
        "stream": {"name": name, "broker": "sqlite:///log.db", "store": "sqlite:///riverrun.db"},
        "event": {"id": guess.id, "time": guess.time, "label": guess.label}
        | {"features": list(guess.features)},
        "model": {"task": guess.task, "pipeline": pipeline_for(guess.task, guess.features)}
        | {"classes": guess.classes},
    }
    lines = [f"# Written by riverrun init from {json.dumps(source)} ({rows:,} rows looked at)."]
    lines += [f"# - {note}" for note in guess.notes]
    lines += [f"# - {column!r} is left out: it {why}" for column, why in guess.skipped.items()]
    lines += ["# Lines that are commented out show the defaults.", ""]
    examples = _examples(name, guess.task, guess.features)
    for section, field in Config.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            values = {k: v for k, v in given.get(section, {}).items() if v is not None}
            lines += _section(section, kind, values, examples.get(section, {}))
        if section == "event":
            types = (f"{_key(column)} = {toml(t)}" for column, t in guess.features.items())
            lines += ["[event.types]", *types, ""]
    return "\n".join(lines)


def toml(value: Any) -> str:
    r"""Return a value as TOML writes it.

    Examples
    --------
    >>> print(toml(['say "hi"', 1, True]))
    ["say \"hi\"", 1, true]
    """
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml, value))}]"
    # JSON's escapes are TOML's; only the delete character needs one that JSON does not use.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _section(
    name: str, kind: type[BaseModel], given: Mapping[str, Any], examples: Mapping[str, Any]
) -> list[str]:
    lines = [f"[{name}]"]
    for key, field in kind.model_fields.items():
        if key == "types":
            continue
        note = f"  # {field.description}" if field.description else ""
        if key in given:
            lines += _given(key, given[key], note)
        else:
            lines.append(f"# {key} = {_default(field, examples.get(key))}{note}")
    return [*lines, ""]


def _given(key: str, value: Any, note: str) -> list[str]:
    if key == "features":
        return [f"{key} = [{note}", *(f"  {toml(name)}," for name in value), "]"]
    if key == "pipeline":
        return [f"{key} = {toml(value)}"]
    return [f"{key} = {toml(value)}{note}"]


def _default(field: FieldInfo, example: Any) -> str:
    value = field.default
    if example is not None:
        return toml(example)
    if value is None:
        return toml("...")
    is_duration = any(isinstance(item, BeforeValidator) for item in field.metadata)
    if is_duration and parse_duration(format_duration(value)) == value:
        return toml(format_duration(value))
    return toml(value)


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else toml(name)


def _examples(name: str, task: str, features: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return what stands for defaults that depend on other keys, or that are nothing."""
    kinds = ("events", "labels", "predictions", "dead_letters")
    usual: Task = task  # type: ignore[assignment]
    segments = [feature for feature, kind in features.items() if kind == "str"] or [*features]
    return {
        "topics": {kind: f"{name}.{kind.replace('_', '-')}" for kind in kinds} | {"create": True},
        "event": {"id": "id", "time": "time"},
        "monitor": {"schema_file": "schema.toml", "pane_span": "10m", "segments": segments[:1]},
        "retrain": {"labels": 10_000, "schedule": "0 3 * * *", "max_loss": 0.5},
        "alerts": {
            "webhook": "https://example.org/hooks/riverrun",
            "alertmanager": "http://localhost:9093",
        },
        "mlflow": {
            "tracking_uri": "http://localhost:5000",
            "experiment": name,
            "registered_model": name,
        },
        "model": {
            "factory": "package.module:function",
            "metrics": list(DEFAULT_METRICS[usual]),
            "classes": ["no", "yes"],
        },
    }
