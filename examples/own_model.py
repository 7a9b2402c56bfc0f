"""A model of your own Python code, for ``factory = "own_model:build"`` in ``[model]``.

A factory may use what a pipeline's text may not: functions, own classes, anything that can be
pickled. It must be importable where the worker and the API run, for example by
``PYTHONPATH=examples riverrun up --config examples/own_model.toml``.
"""

# ruff: noqa: INP001 - a file to copy, not a package

from __future__ import annotations

from typing import Any

from river import compose, linear_model, preprocessing


def is_rush_hour(features: dict[str, Any]) -> dict[str, float]:
    """Return whether the hour is one of the morning's or the evening's busy ones."""
    return {"rush": float(features.get("hr", 12) in (7, 8, 9, 16, 17, 18, 19))}


def build() -> compose.Pipeline:
    """Return the untrained model."""
    numbers = preprocessing.StandardScaler()
    model = linear_model.LinearRegression(clip_gradient=1)
    return (numbers + compose.FuncTransformer(is_rush_hour)) | preprocessing.TargetStandardScaler(
        model
    )
