"""How River's running statistics, scalers and naive Bayes are read as parts, and written back."""

from __future__ import annotations

from typing import Any

from river import dummy, feature_selection, naive_bayes, preprocessing, stats

from stream.sharding.averaging.part import Key, Moments, Part
from stream.sharding.averaging.rule import Rule

SUMMED = (stats.Mean, stats.Var, stats.Count, stats.Sum, stats.Min, stats.Max)
"""Running statistics of two samples that give that of both."""


def read_stat(stat: Any, name: Key) -> Part:
    """Return what a running statistic has seen."""
    if isinstance(stat, stats.Var):
        return Part(moments={name: Moments(stat.mean.n, stat.mean.get(), stat._S)})  # noqa: SLF001
    if isinstance(stat, stats.Mean):
        return Part(moments={name: Moments(stat.n, stat.get(), 0.0)})
    if isinstance(stat, stats.Min):
        return Part(lows={name: stat.min})
    if isinstance(stat, stats.Max):
        return Part(highs={name: stat.max})
    return Part(sums={name: stat.n if isinstance(stat, stats.Count) else stat.sum})


def write_stat(stat: Any, part: Part, name: Key) -> None:
    """Let a running statistic have seen what a part says."""
    if isinstance(stat, stats.Var | stats.Mean):
        if name not in part.moments:
            return
        mean = stat.mean if isinstance(stat, stats.Var) else stat
        found = part.moments[name]
        mean.n, mean._mean = float(found.n), found.mean  # noqa: SLF001
        if isinstance(stat, stats.Var):
            stat._S = max(0.0, found.m2)  # noqa: SLF001
    elif isinstance(stat, stats.Min):
        stat.min = part.lows.get(name, stat.min)
    elif isinstance(stat, stats.Max):
        stat.max = part.highs.get(name, stat.max)
    elif isinstance(stat, stats.Count):
        stat.n = int(part.sums.get(name, stat.n))
    else:
        stat.sum = part.sums.get(name, stat.sum)


def _windowed(estimator: Any) -> str | None:
    return None if estimator.window_size is None else "with a window_size"


def _read_standard(scaler: Any) -> Part:
    moments: dict[Key, Moments] = {}
    for name, n in scaler.counts.items():
        m2 = scaler.vars[name] * n if scaler.with_std else 0.0
        moments[name,] = Moments(n, scaler.means[name], m2)
    return Part(moments=moments)


def _write_standard(scaler: Any, part: Part) -> None:
    for (name,), found in part.moments.items():
        scaler.counts[name], scaler.means[name] = int(found.n), found.mean
        if scaler.with_std:
            scaler.vars[name] = max(0.0, found.m2 / found.n)


def _read_min_max(scaler: Any) -> Part:
    return Part(
        lows={(name,): stat.get() for name, stat in scaler.min.items()},
        highs={(name,): stat.get() for name, stat in scaler.max.items()},
    )


def _write_min_max(scaler: Any, part: Part) -> None:
    for (name,), low in part.lows.items():
        scaler.min[name].min = low
    for (name,), high in part.highs.items():
        scaler.max[name].max = high


def _read_max_abs(scaler: Any) -> Part:
    return Part(highs={(name,): stat.get() for name, stat in scaler.abs_max.items()})


def _write_max_abs(scaler: Any, part: Part) -> None:
    for (name,), high in part.highs.items():
        scaler.abs_max[name].abs_max = high


def _read_one_hot(encoder: Any) -> Part:
    found = encoder.values.items()
    return Part(
        members={(name, one): None for name, ones in found for one in sorted(ones, key=str)}
    )


def _write_one_hot(encoder: Any, part: Part) -> None:
    for name, one in part.members:
        encoder.learn_one({name: one})


def _unfit_imputer(imputer: Any) -> str | None:
    other = [type(stat).__name__ for stat in imputer.stats.values() if type(stat) not in SUMMED]
    return f"with {other[0]}" if other else None


def _by_name(attribute: str) -> tuple[Any, Any]:
    """Return how statistics that stand in a dictionary are read and written."""

    def read(estimator: Any) -> Part:
        found = getattr(estimator, attribute).items()
        return sum((read_stat(stat, (name,)) for name, stat in found), start=Part())

    def write(estimator: Any, part: Part) -> None:
        there = getattr(estimator, attribute)
        for (name,) in {**part.moments, **part.sums, **part.lows, **part.highs}:
            write_stat(there[name], part, (name,))

    return read, write


def _read_statistic(model: Any) -> Part:
    return read_stat(model.statistic, ())


def _write_statistic(model: Any, part: Part) -> None:
    write_stat(model.statistic, part, ())


def _unfit_statistic(model: Any) -> str | None:
    name = type(model.statistic).__name__
    return None if type(model.statistic) in SUMMED else f"with {name}"


def _read_prior(model: Any) -> Part:
    return Part(sums={("n",): model.n} | {("of", name): n for name, n in model.counts.items()})


def _write_prior(model: Any, part: Part) -> None:
    model.n = int(part.sums.get(("n",), 0))
    for kind, *name in part.sums:
        if kind == "of":
            model.counts[name[0]] = int(part.sums["of", name[0]])


_COUNTED = ("class_counts", "class_totals", "feature_totals")


def _read_bayes(model: Any) -> Part:
    sums: dict[Key, float] = {}
    for kind in _COUNTED:
        sums |= {(kind, name): n for name, n in getattr(model, kind, {}).items()}
    for feature, counts in getattr(model, "feature_counts", {}).items():
        sums |= {("feature_counts", feature, name): n for name, n in counts.items()}
    return Part(sums=sums)


def _write_bayes(model: Any, part: Part) -> None:
    for (kind, name, *rest), count in part.sums.items():
        if rest:
            model.feature_counts[name][rest[0]] = count
        else:
            getattr(model, str(kind))[name] = count


def _read_gaussian(model: Any) -> Part:
    moments: dict[Key, Moments] = {}
    for name, gaussians in model.gaussians.items():
        for feature, gaussian in gaussians.items():
            moments |= read_stat(gaussian._var, (name, feature)).moments  # noqa: SLF001
    return Part(moments=moments, sums=_read_bayes(model).sums)


def _write_gaussian(model: Any, part: Part) -> None:
    _write_bayes(model, part)
    for name, feature in part.moments:
        write_stat(model.gaussians[name][feature]._var, part, (name, feature))  # noqa: SLF001


_IMPUTED = _by_name("stats")
_VARIANCES = _by_name("variances")

STATISTICS: dict[type, Rule] = {
    preprocessing.StandardScaler: Rule(_read_standard, _write_standard, _windowed),
    preprocessing.MinMaxScaler: Rule(_read_min_max, _write_min_max, _windowed),
    preprocessing.MaxAbsScaler: Rule(_read_max_abs, _write_max_abs, _windowed),
    preprocessing.OneHotEncoder: Rule(_read_one_hot, _write_one_hot),
    preprocessing.StatImputer: Rule(*_IMPUTED, _unfit_imputer),
    feature_selection.VarianceThreshold: Rule(*_VARIANCES),
    dummy.PriorClassifier: Rule(_read_prior, _write_prior),
    dummy.StatisticRegressor: Rule(_read_statistic, _write_statistic, _unfit_statistic),
    naive_bayes.BernoulliNB: Rule(_read_bayes, _write_bayes),
    naive_bayes.ComplementNB: Rule(_read_bayes, _write_bayes),
    naive_bayes.GaussianNB: Rule(_read_gaussian, _write_gaussian),
    naive_bayes.MultinomialNB: Rule(_read_bayes, _write_bayes),
}
"""By River's class, exactly: a class derived from one of them may keep more."""
