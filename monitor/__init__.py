"""Pure statistics for a live stream: schema skew, value skew, concept drift, and what to do.

Mappings and arrays come in, values go out; there is no clock, no randomness without a seed, and no
input or output. Start reading at `monitor.monitor`, which puts the parts together.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from monitor.config import MonitorConfig as MonitorConfig
    from monitor.infer import infer_schema as infer_schema
    from monitor.monitor import Monitor as Monitor
    from monitor.reference import Reference as Reference
    from monitor.report import SkewReport as SkewReport
    from monitor.schema import Feature as Feature
    from monitor.schema import Schema as Schema
    from monitor.schema_text import schema_from_toml as schema_from_toml
    from monitor.schema_text import schema_to_toml as schema_to_toml

_HOMES = {
    "Feature": "schema",
    "Monitor": "monitor",
    "MonitorConfig": "config",
    "Reference": "reference",
    "Schema": "schema",
    "SkewReport": "report",
    "infer_schema": "infer",
    "schema_from_toml": "schema_text",
    "schema_to_toml": "schema_text",
}
__all__ = [
    "Feature",
    "Monitor",
    "MonitorConfig",
    "Reference",
    "Schema",
    "SkewReport",
    "infer_schema",
    "schema_from_toml",
    "schema_to_toml",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `import monitor` stays cheap."""
    if name in _HOMES:
        return getattr(import_module(f"monitor.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'monitor' has no attribute {name!r}")
