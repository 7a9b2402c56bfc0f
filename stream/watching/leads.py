"""The lead over the baselines and over the estimate: whether performance has dropped."""

from __future__ import annotations

from typing import Any

import msgspec

from monitor.performance import Performance

MODEL = "model"
"""What the served model is called among those whose losses are compared."""

_PANES, _FEWEST = 4, 200


class Window(msgspec.Struct):
    """Sums of losses over some panes: how many labels, of the model and of each baseline."""

    labels: int
    model: float
    baselines: dict[str, float]


class Leads(msgspec.Struct):
    """The lead of the model over its best baseline: 1 minus the ratio of their mean losses.

    Parameters
    ----------
    whole
        Since the model was promoted.
    recent
        Of the last panes.
    surprise
        By how much the realised accuracy of the last panes is below the band of what was expected.
    answered
        The surprise that a run has answered already; only what goes beyond it is news.
    """

    whole: Window = msgspec.field(default_factory=lambda: Window(0, 0.0, {}))
    recent: list[Window] = []
    surprise: float = 0.0
    answered: float = 0.0

    def close_pane(
        self, performance: Performance, accuracy: tuple[float, float, int] | None
    ) -> None:
        """Take in the labels that came while a pane was open.

        Parameters
        ----------
        performance
            Of these labels.
        accuracy
            As ``Outlook.accuracy`` returns it.
        """
        scores = {name: performance.score(name) for name in _models(performance)}
        if MODEL in scores:
            sums = {name: score.loss / 1e6 for name, score in scores.items()}
            model = sums.pop(MODEL)
            window = Window(scores[MODEL].count, model, sums)
            self.recent = [*self.recent, window][-_PANES:]
            self.whole = _sum([self.whole, window])
        self.surprise = 0.0
        if accuracy is not None and accuracy[2] >= _FEWEST:
            self.surprise = max(0.0, accuracy[0] - accuracy[1])
        self.answered = min(self.answered, self.surprise)

    def begin_anew(self) -> None:
        """Forget everything but what was answered, for a newly promoted model or after a run."""
        self.answered = self.surprise
        self.whole, self.recent, self.surprise = Window(0, 0.0, {}), [], 0.0

    def drop(self, share: float) -> dict[str, Any] | None:
        """Return the evidence for a drop in performance, or None.

        Parameters
        ----------
        share
            Of the lead over the best baseline that must be lost; and the distance below the band of
            the expected accuracy.
        """
        if self.surprise >= self.answered + share:
            sentence = f"accuracy is {self.surprise:.3f} below what confidence promised"
            return {"against": "estimate", "below": self.surprise, "sentence": sentence}
        now, before = _sum(self.recent), _lead(self.whole)
        lead = _lead(now)
        if len(self.recent) < _PANES or now.labels < _FEWEST or lead is None or before is None:
            return None
        if before <= 0.0 or lead >= before * (1.0 - share) or self.whole.labels < 4 * now.labels:
            return None
        sentence = f"the lead over the best baseline fell from {before:.3f} to {lead:.3f}"
        return {"against": "baseline", "lead": lead, "before": before, "sentence": sentence}


def _models(performance: Performance) -> list[str]:
    return sorted({model for model, feature, _, _ in performance.scores if not feature})


def _sum(windows: list[Window]) -> Window:
    names = sorted({name for window in windows for name in window.baselines})
    return Window(
        sum(window.labels for window in windows),
        sum(window.model for window in windows),
        {name: sum(window.baselines.get(name, 0.0) for window in windows) for name in names},
    )


def _lead(window: Window) -> float | None:
    best = min(window.baselines.values(), default=0.0)
    return None if best <= 0.0 else 1.0 - window.model / best
