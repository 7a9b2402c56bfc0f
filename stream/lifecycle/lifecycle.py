"""The lifecycle of a stream's models, as a state machine without clock, process or store.

A request begins a run; its candidates are trained elsewhere and adopted into the shadow; there they
race one another and then face the champion at the gate; a winner is promoted, and the former
champion stays in its shadow for the probation. Decisions fall where a pane closes, and nowhere
else, so that they are the same however records are cut into batches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from monitor.reference import Reference
from stream.events import Features
from stream.labels import Label
from stream.learner import Learner, Prediction
from stream.lifecycle.answers import is_overtaken
from stream.lifecycle.gate import Gate, GateRules, probation_gate
from stream.lifecycle.run import REFRESHES, KeptModel, Outcome, Phase, Request, Run, RunChange
from stream.lifecycle.shadow import Adopted, Decision, Shadow, Shadowed, weigh
from stream.sections import RetrainSection, Task

DAY = 86_400_000
_REQUESTS_KEPT = 20


class Lifecycle:
    """Runs, shadows and decisions of one stream.

    Parameters
    ----------
    config
        The section ``[retrain]``.
    task
        What is predicted.
    version, pipeline
        The champion's, at first.

    Attributes
    ----------
    run
        The run that is under way.
    shadows
        Models in the shadow.
    scheduled_at
        Seconds since the epoch of the last time that the schedule was due.
    answered
        Event time in milliseconds up to which changes of the concept have had their run.
    changed
        Event time in milliseconds of the last change after which a model was trained that was
        promoted; what came before it is not trained on again.
    changes, kept
        What is to be written down, and the models to keep, since the last checkpoint.
    tally
        How often each thing has happened to runs.
    followed
        On a shard, the decision for the stream that its shadows and their evidence belong to.
    """

    def __init__(self, config: RetrainSection, task: Task, version: str, pipeline: str) -> None:
        self.config = config
        self.task = task
        self.version = version
        self.pipeline = pipeline
        self.run: Run | None = None
        self.shadows: list[Shadow] = []
        self.changes: list[RunChange] = []
        self.kept: list[KeptModel] = []
        self.runs = 0
        self.versions = int(version.removeprefix("v"))
        self.scheduled_at: float | None = None
        self.began: list[int] = []
        self.labels_at = 0
        self.answered = float("-inf")
        self.changed: int | None = None
        self.reference: Reference | None = None
        self.tally: dict[str, int] = {}
        self.followed = 0
        self._said: list[Shadowed] = []

    def __getstate__(self) -> dict[str, Any]:
        # What is to be written down goes with the checkpoint, and is not written again after it.
        state = {name: value for name, value in vars(self).items() if name != "config"}
        return state | {"changes": [], "kept": []}

    def mark_committed(self) -> None:
        """Take note that the changes and the kept models were written."""
        self.changes, self.kept = [], []

    @property
    def rules(self) -> GateRules:
        """What the gate asks for."""
        config = self.config
        return GateRules(config.level, config.margin, config.min_labels, config.max_labels)

    @property
    def is_busy(self) -> bool:
        """Whether a run is under way that has not decided yet."""
        return self.run is not None and self.run.phase != "probation"

    def request(self, request: Request, now: int, pipelines: Mapping[str, str]) -> bool:
        """Begin a run, or add the request to the one under way.

        Parameters
        ----------
        request
            Who wants it, and why.
        now
            Event time in milliseconds.
        pipelines
            By name, the candidates to train.

        Returns
        -------
        bool
            Whether a run began. Without a person asking, no more than ``retrain.max_per_day`` do.
            A change of the concept ends a run whose challenger is from before it.
        """
        self.began = [time for time in self.began if time > now - DAY]
        limited = not request.by and len(self.began) >= self.config.max_per_day
        asked, replaces = [request], None
        if self.run is not None and self.is_busy:
            if limited or not is_overtaken(self.run, request):
                if len(self.run.requests) < _REQUESTS_KEPT:
                    self.run.requests.append(request)
                return False
            asked += self.run.requests[: _REQUESTS_KEPT - 1]
            replaces = self.run.number
            self.end("cancelled", now, "The concept drifted meanwhile: a run after it begins.")
        if limited:
            return False
        if self.run is not None:
            self.end("kept", now, "The probation ended early: another run began.")
        self.began.append(now)
        self.answered = now
        self.runs += 1
        self.versions += 1
        self.run = Run(
            number=self.runs,
            version=f"v{self.versions}",
            phase="training",
            goal="not_worse" if request.trigger in REFRESHES else "better",
            requests=asked,
            began=now,
            since=self.changed if request.since is None else request.since,
            pipelines=dict(pipelines),
            replaces=replaces,
        )
        detail = {"trigger": request.trigger, "goal": self.run.goal, "pipelines": dict(pipelines)}
        sentence = f"A run began: {request.reason or request.trigger}."
        self.note("training", now, sentence, detail | {"request": msgspec.to_builtins(request)})
        return True

    def adopt(
        self,
        candidates: Sequence[Adopted],
        reference: Reference | None,
        now: int,
        *,
        scale: float = 1.0,
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """Take trained candidates into the shadow.

        Parameters
        ----------
        candidates
            One or more.
        reference
            What they were trained on, as counts; it moves with the promotion.
        now
            Event time in milliseconds.
        scale
            Loss that counts as 1 at the gate.
        detail
            About the training, to be written down.
        """
        run = self.run
        if run is None or run.phase != "training":
            return
        self.reference = reference
        self.shadows = [
            Shadow(
                one.name, "challenger", run.version, one.learner, self.new_gate(scale), one.pipeline
            )
            for one in candidates
        ]
        phase: Phase = "racing" if len(candidates) > 1 else "shadow"
        self.enter(phase, now, f"{len(candidates)} trained and in the shadow.", detail)

    def fail(self, reason: str, now: int, outcome: Outcome = "failed") -> None:
        """End the run without a decision."""
        if self.run is not None:
            self.end(outcome, now, reason)

    def overrule(
        self,
        version: str,
        learner: Learner,
        by: str,
        reason: str,
        now: int,
        *,
        pipeline: str = "",
        scale: float = 1.0,
    ) -> Decision:
        """Let a person put a version in place; the gate is not asked, the probation is kept.

        Parameters
        ----------
        version, learner
            What will serve.
        by, reason
            Who wants it, and why.
        now
            Event time in milliseconds.
        pipeline
            As text, for people.
        scale
            Loss that counts as 1 in the probation.
        """
        if self.run is not None:
            self.end("cancelled", now, f"{by or 'Somebody'} put {version} in place.")
        self.runs += 1
        asked = Request("person", {"version": version}, reason, by)
        self.run = Run(self.runs, version, "shadow", "better", [asked], now, None, {})
        shadow = Shadow(version, "challenger", version, learner, self.new_gate(scale), pipeline)
        self.shadows = [shadow]
        sentence = f"{by or 'Somebody'} put {version} in place of {self.version}: {reason}"
        self.note("promoted", now, sentence, {"by": by, "reason": reason, "overruled": True})
        return Decision(shadow, None)

    def predict(self, features: Features) -> dict[str, Prediction] | None:
        """Return what the shadows say of an event; None where there is none."""
        if not self.shadows:
            return None
        return {shadow.key: shadow.predict(features) for shadow in self.shadows}

    def learn(self, features: Features, label: Label | None) -> None:
        """Let the shadows learn from an event."""
        for shadow in self.shadows:
            shadow.learn(features, label)

    def labelled(
        self, label: Label, said: Mapping[str, Prediction] | None, features: Features
    ) -> None:
        """Take note of a label that met its predictions: ``CHAMPION``'s and the shadows'."""
        if said:
            self._said.append(Shadowed(label, said, features))

    def weigh(self, segments: Mapping[str, Sequence[str]] | None = None) -> None:
        """Give the gates the losses of the labels that were noted, in order.

        Parameters
        ----------
        segments
            By feature, the segment of each noted label.
        """
        said, self._said = self._said, []
        weigh(self.task, self.shadows, said, segments or {})

    @property
    def noted(self) -> list[Features]:
        """The features of the labels that were noted since the gates were given losses."""
        return [one.features for one in self._said]

    def promoted(self, former: Learner, reference: Reference | None, now: int) -> None:
        """Take note that the challenger serves: the former champion goes into its shadow.

        Parameters
        ----------
        former
            The model that served until now.
        reference
            What it was compared with, for its way back.
        now
            Event time in milliseconds.
        """
        winner, version, pipeline = self.shadows[0], self.version, self.pipeline
        self.changed = self.run.since if self.run is not None else None
        self.version, self.pipeline = winner.version, winner.description
        gate = probation_gate(winner.gate.scale, self.config.margin, self.config.probation)
        self.shadows = [Shadow(version, "former", version, former, gate, pipeline)]
        self.reference = reference
        self.enter("probation", now, f"{self.version} serves; {version} is in its shadow.")

    def new_gate(self, scale: float) -> Gate:
        """Return a gate without evidence."""
        return Gate(scale=scale, margin=self.config.margin)

    def enter(self, phase: Phase, now: int, sentence: str, detail: Any = None) -> None:
        """Go on to another phase of the run."""
        if self.run is not None:
            self.run.phase = phase
            self.note(phase, now, sentence, detail)

    def end(self, outcome: Outcome, now: int, sentence: str, detail: Any = None) -> None:
        """End the run, in whatever way."""
        self.note(outcome, now, sentence, detail)
        self.run, self.shadows, self.reference = None, [], None

    def note(self, state: Phase | Outcome, now: int, sentence: str, detail: Any = None) -> None:
        """Take down what happened to the run."""
        run = self.run
        if run is not None:
            change = RunChange(run.number, run.version, state, now, sentence, dict(detail or {}))
            self.take_down(change)

    def take_down(self, change: RunChange) -> None:
        """Remember to write down a change, and count it."""
        self.changes.append(change)
        self.tally[change.state] = self.tally.get(change.state, 0) + 1
