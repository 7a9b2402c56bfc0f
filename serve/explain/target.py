"""The one number of a prediction that is explained."""

from __future__ import annotations

from serve.explain.explanation import CannotExplainError
from stream.events import Features
from stream.learner import Learner


class Target:
    """The probability of a class, or the value or score.

    Parameters
    ----------
    learner
        The model.
    features
        Of the event.
    wanted
        The class to explain, by its name; default the positive one, or the one predicted.

    Attributes
    ----------
    said
        The number for this event.
    name
        The class; None where the prediction is a number.

    Raises
    ------
    CannotExplainError
        Where the model says nothing, or no probabilities, or does not know the class.
    """

    def __init__(self, learner: Learner, features: Features, wanted: str | None = None) -> None:
        self._learner = learner
        self.is_binary = learner.task == "binary"
        self.space = "probability"
        self.name: str | None = None
        prediction = learner.predict(features)
        if prediction is None or prediction == {}:
            raise CannotExplainError("the model has nothing to say of this event yet")
        if self.is_binary:
            self.name = wanted or "true"
            if self.name not in ("true", "false"):
                raise CannotExplainError(f"there is no class {wanted!r}; known: false, true")
        elif learner.task == "multiclass":
            if not isinstance(prediction, dict):
                raise CannotExplainError("the model names a class and gives no probabilities")
            self.name = wanted or max(prediction, key=prediction.__getitem__)
            if self.name not in prediction:
                known = ", ".join(sorted(prediction)[:20])
                raise CannotExplainError(f"there is no class {wanted!r}; known: {known}")
        else:
            self.space = "score" if learner.task == "anomaly" else "value"
            if wanted is not None:
                raise CannotExplainError(f"the task {learner.task!r} has no classes")
        self.said = self.of(features)

    def of(self, features: Features) -> float:
        """Return the number for an event.

        Raises
        ------
        CannotExplainError
            Where the model says nothing of it, or raises.
        """
        try:
            prediction = self._learner.predict(features)
        except Exception as error:  # noqa: BLE001 - a model may raise anything
            raise CannotExplainError(
                f"the model raised {type(error).__name__}: {error}, with a feature replaced"
            ) from None
        if isinstance(prediction, dict):
            return prediction.get(self.name or "", 0.0)
        if not isinstance(prediction, bool | int | float):
            raise CannotExplainError("the model has nothing to say with a feature replaced")
        return 1.0 - prediction if self.name == "false" else float(prediction)
