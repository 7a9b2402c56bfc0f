"""Which role each operation needs, in one table."""

from __future__ import annotations

from enum import IntEnum


class Role(IntEnum):
    """What a caller may do; each role may do what those before it may."""

    VIEWER = 1
    PREDICTOR = 2
    OPERATOR = 3

    @property
    def label(self) -> str:
        """The role as people write it."""
        return self.name.lower()


ROLES = tuple(role.label for role in Role)
"""The names of the roles, the weakest first."""

OPEN = None
"""Whoever reaches the API; such a route may still look at who asks."""

ROLE_OF: dict[str, Role | None] = {
    # What machines ask before they can have a key.
    "healthz": OPEN,
    "readyz": OPEN,
    "metrics": Role.VIEWER,  # open by api.open_metrics
    # Holds no data of a stream: it is the same for everybody who runs this version.
    "openapi": OPEN,
    "docs": OPEN,
    "docs_file": OPEN,
    # Sessions check credentials themselves.
    "sign_in": OPEN,
    "sign_out": OPEN,
    # Pages of the dashboard look at who asks themselves: whoever is not known has to sign in. Their
    # files hold no data.
    "home": OPEN,
    "stream_home": OPEN,
    "show_page": OPEN,
    "sign_in_page": OPEN,
    "asset": OPEN,
    "plotly": OPEN,
    "favicon": OPEN,
    "show_session": Role.VIEWER,
    # Looking.
    "list_streams": Role.VIEWER,
    "stream_status": Role.VIEWER,
    "schema": Role.VIEWER,
    "anomalies": Role.VIEWER,
    "drift": Role.VIEWER,
    "drift_report": Role.VIEWER,
    "feature_drift": Role.VIEWER,
    "performance": Role.VIEWER,
    "list_models": Role.VIEWER,
    "show_model": Role.VIEWER,
    "list_retrains": Role.VIEWER,
    "show_retrain": Role.VIEWER,
    "show_request": Role.VIEWER,
    "list_predictions": Role.VIEWER,
    "show_prediction": Role.VIEWER,
    "live": Role.VIEWER,
    "history": Role.VIEWER,
    "happenings": Role.VIEWER,
    "anomaly_series": Role.VIEWER,
    "impact": Role.VIEWER,
    "system": Role.VIEWER,
    "wanted_labels": Role.VIEWER,
    "label_conflicts": Role.VIEWER,
    # Predicting, and bringing events and labels.
    "predict": Role.PREDICTOR,
    "predict_batch": Role.PREDICTOR,
    "explain": Role.PREDICTOR,
    # The Open Inference Protocol.
    "v2_live": OPEN,
    "v2_ready": OPEN,
    "v2_server": Role.VIEWER,
    "v2_model": Role.VIEWER,
    "v2_model_version": Role.VIEWER,
    "v2_model_ready": Role.VIEWER,
    "v2_model_version_ready": Role.VIEWER,
    "v2_infer": Role.PREDICTOR,
    "v2_infer_version": Role.PREDICTOR,
    "append_events": Role.PREDICTOR,
    "append_labels": Role.PREDICTOR,
    # Control.
    "ask_for_retrain": Role.OPERATOR,
    "cancel_retrain": Role.OPERATOR,
    "promote_model": Role.OPERATOR,
    "rollback_model": Role.OPERATOR,
    "replay_dead_letters": Role.OPERATOR,
    "list_audit": Role.OPERATOR,
}
"""By operation id, or where a route has none by its name. What is missing needs an operator."""


def role_named(name: str) -> Role | None:
    """Return a role by its name, or None.

    Examples
    --------
    >>> role_named("viewer").label, role_named("admin")
    ('viewer', None)
    """
    return next((role for role in Role if role.label == name), None)
