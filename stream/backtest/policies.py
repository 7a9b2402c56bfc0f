"""Retraining policies as switches of ``[retrain]``."""

from __future__ import annotations

from typing import Any, Literal, get_args

from stream.config import Config

Policy = Literal["never", "periodic", "drift", "performance", "always", "configured"]
POLICIES: tuple[Policy, ...] = get_args(Policy)
COMPARED: tuple[Policy, ...] = POLICIES[:-1]
"""Those that are compared where nobody says which."""

PERIOD = 5_000
"""Labels between two runs of the periodic policy, where nothing else is configured."""

_UNLIMITED = 10_000
_OFF: dict[str, Any] = {
    "drift": False,
    "skew": False,
    "performance": False,
    "labels": None,
    "schedule": None,
}


def under(config: Config, policy: Policy, every: int | None = None) -> Config:
    """Return a configuration that retrains under a policy, all else being equal.

    ``never`` learns on and retrains nothing. ``periodic`` trains a fresh model every so many
    labels, or by the configured schedule in event time. ``drift`` trains when the concept drifts or
    values have shifted (the latter as ``retrain.skew`` says), ``performance`` when the lead over
    the baselines is lost. ``always`` trains a fresh model whenever a pane closes and no run is
    under way, without a daily limit. ``configured`` is the file as it stands.

    Parameters
    ----------
    config
        The stream's.
    policy
        Its name.
    every
        Labels between two runs of ``periodic``; default ``retrain.labels``, or else the schedule,
        or else ``PERIOD``.

    Examples
    --------
    >>> config = Config(
    ...     stream={"name": "s"},
    ...     event={"label": "y"},
    ...     model={"task": "binary", "pipeline": "linear_model.LogisticRegression()"},
    ... )
    >>> under(config, "never").retrain.enabled, under(config, "periodic").retrain.labels
    (False, 5000)
    """
    retrain = config.retrain
    if policy == "configured":
        return config
    update = _OFF | {"enabled": policy != "never"}
    if policy == "periodic":
        by_schedule = every is None and retrain.labels is None and retrain.schedule is not None
        if by_schedule:
            update["schedule"] = retrain.schedule
        else:
            update["labels"] = every or retrain.labels or PERIOD
    elif policy == "drift":
        update |= {"drift": True, "skew": retrain.skew}
    elif policy == "performance":
        update["performance"] = True
    elif policy == "always":
        update |= {"labels": 1, "max_per_day": _UNLIMITED}
    return config.model_copy(update={"retrain": retrain.model_copy(update=update)})
