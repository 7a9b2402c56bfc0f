"""The shapes of what people are asked and say."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

LabelValue = bool | int | float | str


class WantedLabel(BaseModel):
    """A prediction that waits, and how unsure the model was."""

    id: str = Field(description="The event's id, to label it under.")
    time: datetime | None = Field(description="Event time.")
    until: datetime | None = Field(
        description="Event time at which the prediction is given up (labels.max_delay)."
    )
    prediction: LabelValue | None = Field(description="What was predicted.")
    probabilities: dict[str, float] | None = Field(description="Of the classes, where stated.")
    uncertainty: float = Field(
        description="Entropy of the probabilities over that of equal ones, 0 to 1; of a "
        "regression the standard deviation over model and challengers."
    )
    event: dict[str, Any] | None = Field(description="The event; null where it is large.")


class WantedLabels(BaseModel):
    """The predictions most worth a person's label."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "stream": "flights",
                    "made_at": "2026-11-23T14:05:00Z",
                    "waiting": 4211,
                    "budget": 1,
                    "note": None,
                    "wanted": [
                        {
                            "id": "2013-01-01-UA-1545",
                            "time": "2013-01-01T10:15:00Z",
                            "until": "2013-01-04T10:15:00Z",
                            "prediction": True,
                            "probabilities": {"false": 0.49, "true": 0.51},
                            "uncertainty": 0.999711,
                            "event": {"flight_id": "2013-01-01-UA-1545", "distance": 1400},
                        }
                    ],
                }
            ]
        }
    )

    stream: str
    made_at: datetime | None = Field(description="Of the checkpoint; null before the first.")
    waiting: int = Field(description="Predictions that wait for a label.")
    budget: int = Field(description="How many were asked for at most.")
    note: str | None = Field(description="Why there are none, where there are none.")
    wanted: list[WantedLabel] = Field(description="The most uncertain first.")


class Opinion(BaseModel):
    """What somebody said of an event."""

    label: LabelValue
    by: str | None = Field(description="Who; null where the label did not say.")
    at: datetime | None = Field(description="When it was appended; null where that is not known.")


class LabelConflict(BaseModel):
    """Two labels of one event."""

    id: str
    learned: Opinion = Field(description="The one that counts: scored by and learned from.")
    said: Opinion = Field(description="The other one, which changed nothing.")


class LabelConflicts(BaseModel):
    """Labels that contradict each other."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "stream": "flights",
                    "counted": 1,
                    "kept": 1,
                    "conflicts": [
                        {
                            "id": "2013-01-01-UA-1545",
                            "learned": {
                                "label": True,
                                "by": "anna",
                                "at": "2026-11-23T14:05:00Z",
                            },
                            "said": {"label": False, "by": "bert", "at": "2026-11-23T14:07:00Z"},
                        }
                    ],
                    "next": None,
                }
            ]
        }
    )

    stream: str
    counted: int = Field(description="All that ever were (labels.conflicting of the status).")
    kept: int = Field(description="Those that can be listed.")
    conflicts: list[LabelConflict] = Field(description="The newest first.")
    next: str | None = Field(description="Cursor of the next page; null on the last.")
