"""Writes the reference pages from the code: ``python -m tests.docs.reference``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from stream.config import Config
from stream.units import format_duration

DOCS = Path(__file__).parents[2] / "docs"


def configuration() -> str:
    """Return ``docs/configuration.md``."""
    lines = [
        "# Configuration",
        "",
        "One file, `riverrun.toml`. Each key can be overridden by `RIVERRUN_<SECTION>__<KEY>`, for example",
        "`RIVERRUN_STREAM__BROKER`; lists and tables are written as JSON there. Secrets come only from the",
        "environment, or from a file that it names: `RIVERRUN_SECRET` (or `RIVERRUN_SECRET_FILE`) signs",
        "checkpoints, `RIVERRUN_KAFKA_USERNAME`, `RIVERRUN_KAFKA_PASSWORD`, `RIVERRUN_KAFKA_CLIENT_SECRET` and",
        "`RIVERRUN_KAFKA_KEY_PASSWORD` are for TLS and SASL (`docs/security.md`),",
        "`RIVERRUN_ALERTS_WEBHOOK_TOKEN`, `RIVERRUN_ALERTS_WEBHOOK_SECRET` and `RIVERRUN_ALERTS_ALERTMANAGER_TOKEN`",
        "for alerts (`docs/alerts.md`), `RIVERRUN_API_VIEWER_KEY`, `RIVERRUN_API_PREDICTOR_KEY` and",
        "`RIVERRUN_API_OPERATOR_KEY` are keys of the API (`docs/security.md`). Paths are relative to the folder the command runs in. `riverrun check`",
        "reports every mistake at once.",
        "",
        "This page is made from the code by `python -m tests.docs.reference`.",
    ]
    for name, section in Config.model_fields.items():
        model = section.annotation
        assert isinstance(model, type)
        assert issubclass(model, BaseModel)
        summary = (model.__doc__ or "").partition(": ")[2].splitlines()[0].rstrip(".")
        lines += ["", f"## `[{name}]`", "", f"{summary[:1].upper()}{summary[1:]}.", ""]
        lines += ["| key | default | meaning |", "| --- | --- | --- |"]
        for key, field in model.model_fields.items():
            default = default_of(name, field)
            lines.append(f"| `{key}` | {default} | {field.description or allowed(field)} |")
    return "\n".join(lines) + "\n"


def default_of(section: str, field: FieldInfo) -> str:
    """Return a default as the file would have it."""
    if field.is_required():
        return "required"
    value: Any = field.get_default(call_default_factory=True)
    if value is None or value == {}:
        return ""
    if any(type(m).__name__ == "BeforeValidator" for m in field.metadata) and value >= 1_000:
        return f'`"{format_duration(value)}"`'
    value = list(value) if isinstance(value, tuple) else value
    return f"`{str(value).lower()}`" if isinstance(value, bool) else f"`{value}`"


def allowed(field: FieldInfo) -> str:
    """Return the values a field may take."""
    return " or ".join(map(str, get_args(field.annotation))) if get_origin(field.annotation) else ""


if __name__ == "__main__":
    (DOCS / "configuration.md").write_text(configuration(), encoding="utf-8")
