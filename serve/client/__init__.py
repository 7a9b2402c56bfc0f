"""A client of the HTTP API, which needs no log, store or model: ``Client``, ``AsyncClient``."""

from __future__ import annotations

from serve.client.asynchronous import AsyncClient
from serve.client.errors import (
    ApiError,
    BadRequestError,
    ClientError,
    ConflictError,
    ForbiddenError,
    NoAnswerError,
    NotFoundError,
    RateLimitedError,
    RefusedEventError,
    TooLargeError,
    UnauthorizedError,
    UnavailableError,
)
from serve.client.retries import Retries
from serve.client.shapes import (
    Accepted,
    Asked,
    BatchResult,
    FieldError,
    LiveEvent,
    Place,
    Prediction,
    PredictionDetails,
    PredictionEntry,
    PredictionPage,
    Problem,
)
from serve.client.sync import Client

__all__ = [
    "Client", "AsyncClient", "Retries",
    "Prediction", "BatchResult", "Accepted", "Place", "Asked", "LiveEvent",
    "PredictionPage", "PredictionEntry", "PredictionDetails", "Problem", "FieldError",
    "ClientError", "NoAnswerError", "ApiError", "BadRequestError", "UnauthorizedError",
    "ForbiddenError", "NotFoundError", "ConflictError", "TooLargeError", "RefusedEventError",
    "RateLimitedError", "UnavailableError",
]  # fmt: skip
