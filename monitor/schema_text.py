"""The schema as a text that people read, edit and version: `schema.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import fields
from typing import Any

from monitor.anomalies import KINDS
from monitor.errors import SchemaError
from monitor.schema import Feature, Schema

_HEADER = """\
# The schema of a stream: every event is checked against it.
#
# type             int | float (takes ints) | bool | string | any
# required         an event without a value is an error (absent and null are the same)
# minimum, maximum bounds, both included; bounds_inferred = true makes them warn only
# domain           the categories; a pane fails below min_domain_mass inside it
# min_fraction     share of a pane's events that must have a value
# max_missing      share without a value above which a pane warns
# coerce           take "3.5" as 3.5, and count it
# max_cardinality  distinct values in a pane above which it warns
"""
_DEFAULTS = {field.name: field.default for field in fields(Feature)}
_OPTIONS = tuple(name for name in _DEFAULTS if name not in ("name", "type", "required"))
_NAMED = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}


def quote(text: str) -> str:
    r"""Write any text as a TOML basic string.

    Parameters
    ----------
    text
        Untrusted text.

    Returns
    -------
    str
        The quoted text, on one line.

    Raises
    ------
    SchemaError
        The text holds a lone surrogate, which TOML cannot express.

    Examples
    --------
    >>> print(quote('a "b"\n'))
    "a \"b\"\n"
    """
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise SchemaError(ascii(text), "not valid Unicode, cannot be written as TOML")
    return '"' + "".join(_escaped(char) for char in text) + '"'


def _escaped(char: str) -> str:
    if char in _NAMED:
        return _NAMED[char]
    # Controls and line separators are escaped, so that a name can neither end its line nor hide.
    if char < " " or "\x7f" <= char <= "\x9f" or char in "\u2028\u2029\u202a\u202e\ufeff":
        return f"\\u{ord(char):04X}"
    return char


def _value(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return quote(value)
        case tuple():
            return "[" + ", ".join(_value(item) for item in value) + "]"
        case _:
            return repr(value)


def schema_to_toml(schema: Schema) -> str:
    """Write a schema as TOML, with a comment for every key.

    Parameters
    ----------
    schema
        Any schema.

    Returns
    -------
    str
        The text; `schema_from_toml` gives the same schema back.

    Raises
    ------
    SchemaError
        A name or category is not valid Unicode.

    Examples
    --------
    >>> text = schema_to_toml(Schema((Feature("a.b", "float", minimum=0.0),)))
    >>> print(text[text.index("[features"):])
    [features."a.b"]
    type = "float"
    required = true
    minimum = 0.0
    <BLANKLINE>
    """
    lines = [_HEADER, "version = 1"]
    if schema.ignored:
        lines.append(f"ignored = {_value(schema.ignored)}  # known fields that are not watched")
    lines += [
        f"{key} = {getattr(schema, key)}  # events in a pane"
        for key in ("min_events", "max_events")
        if getattr(schema, key) is not None
    ]
    if schema.severity:
        lines += ["", "[severity]"]
        lines += [f"{kind} = {quote(level)}" for kind, level in sorted(schema.severity.items())]
    for feature in schema.features:
        lines += ["", f"[features.{quote(feature.name)}]", f"type = {quote(feature.type)}"]
        lines.append(f"required = {_value(feature.required)}")
        for option in _OPTIONS:
            value = getattr(feature, option)
            if value != _DEFAULTS[option]:
                lines.append(f"{option} = {_value(value)}")
    return "\n".join(lines) + "\n"


def schema_from_toml(text: str) -> Schema:
    r"""Read a schema from TOML.

    Parameters
    ----------
    text
        What `schema_to_toml` wrote, edited or not.

    Returns
    -------
    Schema
        The schema.

    Raises
    ------
    SchemaError
        Not TOML, an unknown key, a value of the wrong type; the message names the key.

    Examples
    --------
    >>> schema_from_toml('[features.a]\ntype = "int"').names
    ('a',)
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SchemaError("schema", f"not TOML: {error}") from error
    unknown = sorted(
        set(data) - {"version", "ignored", "min_events", "max_events", "severity", "features"}
    )
    if unknown:
        raise SchemaError(unknown[0], "unknown key")
    if data.get("version", 1) != 1:
        raise SchemaError("version", f"{data['version']!r}: this release reads version 1")
    severity = _table(data, "severity")
    for kind in severity:
        if kind not in KINDS:
            raise SchemaError(f"severity.{kind}", f"expected one of {', '.join(KINDS)}")
    table = _table(data, "features")
    return Schema(
        features=tuple(_feature(name, entry) for name, entry in table.items()),
        severity=severity,
        ignored=_strings("ignored", data.get("ignored", [])),
        min_events=_whole("min_events", data.get("min_events")),
        max_events=_whole("max_events", data.get("max_events")),
    )


def _table(data: dict[str, Any], key: str) -> dict[str, Any]:
    table = data.get(key, {})
    if not isinstance(table, dict):
        raise SchemaError(key, f"expected a table, found {type(table).__name__}")
    return table


def _strings(where: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise SchemaError(where, f"expected a list of strings, found {value!r}")
    return tuple(value)


def _whole(where: str, value: object) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
        return value
    raise SchemaError(where, f"expected a whole number, found {value!r}")


def _feature(name: str, entry: object) -> Feature:
    where = f"features.{quote(name)}"
    if not isinstance(entry, dict):
        raise SchemaError(where, "expected a table with at least a type")
    if "type" not in entry:
        raise SchemaError(where, 'no type: add type = "float", "int", "bool", "string" or "any"')
    values = dict(entry)
    for key, value in entry.items():
        if key not in _DEFAULTS or key == "name":
            raise SchemaError(f"{where}.{key}", "unknown key")
        if key in ("required", "coerce", "bounds_inferred"):
            valid = isinstance(value, bool)
        elif key == "type":
            valid = isinstance(value, str)
        elif key == "domain":
            values[key], valid = _strings(f"{where}.{key}", value), True
        elif key == "max_cardinality":
            values[key], valid = _whole(f"{where}.{key}", value), True
        else:
            valid = isinstance(value, int | float) and not isinstance(value, bool)
        if not valid:
            raise SchemaError(f"{where}.{key}", f"{value!r} is of the wrong type")
    return Feature(name=name, **values)
