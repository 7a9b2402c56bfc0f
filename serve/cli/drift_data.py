"""A comparison as plain data for JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from serve.cli.drift_result import DriftResult, FeatureDrift, headline

_WHY = {"": "statistics", "gone": "column is gone", "type": "type changed"}


def as_data(result: DriftResult) -> dict[str, Any]:
    """Give the result as plain data for JSON.

    Parameters
    ----------
    result
        Of a comparison.

    Returns
    -------
    dict
        With every figure of the tests, and the shares in all bins.
    """
    verdict = "drift" if result.drifted else "ok" if result.usable else "insufficient"
    span = {} if result.span is None else {"span": asdict(result.span)}
    return span | {
        "verdict": verdict,
        "headline": headline(result),
        "reference": {"name": result.reference[0], "rows": result.reference[1]},
        "current": {"name": result.current[0], "rows": result.current[1]},
        "drifted": [each.skew.name for each in result.drifted],
        "false_alarms_per_pane": result.skew.budget,
        "level": result.skew.level,
        "tests": result.skew.tests,
        "features": [_feature_data(each) for each in result.features],
        "left_out": dict(result.left_out),
        "notes": list(result.notes),
    }


def _feature_data(feature: FeatureDrift) -> dict[str, Any]:
    skew = asdict(feature.skew)
    del skew["span"], skew["status"]
    before, after = (
        (counts[:-1] / max(int(counts[:-1].sum()), 1)).tolist() for counts in feature.counts
    )
    label = feature.column.bins.label
    return skew | {
        "verdict": feature.verdict.lower(),
        "why": _WHY[feature.why] if feature.verdict == "DRIFT" else None,
        "distance": feature.skew.js if feature.skew.test == "js" else feature.skew.wasserstein,
        "q": feature.q,
        "culprit_reference": feature.culprit_shares[0],
        "culprit_current": feature.culprit_shares[1],
        "unusable_reference": feature.unusable[0],
        "unusable_current": feature.unusable[1],
        "new_categories": dict(feature.extra.new_categories),
        "bins": [
            {"bin": label(cell), "reference": was, "current": now}
            for cell, (was, now) in enumerate(zip(before, after, strict=True))
            if was or now
        ],
    }
