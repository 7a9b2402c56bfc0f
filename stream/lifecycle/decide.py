"""The decisions on a run, where a pane closes: the race, the gate, the probation."""

from __future__ import annotations

from stream.lifecycle.gate import Gate
from stream.lifecycle.lifecycle import Lifecycle
from stream.lifecycle.race import stay
from stream.lifecycle.run import Run
from stream.lifecycle.shadow import Decision


def decide(lifecycle: Lifecycle, now: int) -> Decision | None:
    """Decide on the run that is under way, and return what the line is to do.

    Parameters
    ----------
    lifecycle
        Its runs and shadows.
    now
        Event time in milliseconds.
    """
    run = lifecycle.run
    if run is None:
        return None
    if run.phase == "racing":
        _race(lifecycle, now)
    elif run.phase == "shadow":
        return _face(lifecycle, run, now)
    elif run.phase == "probation":
        return _prove(lifecycle, now)
    return None


def _race(lifecycle: Lifecycle, now: int) -> None:
    """Let the worse half of the candidates leave, where all have come as far as a rung."""
    rung, shadows = lifecycle.config.rung, lifecycle.shadows
    if any(shadow.gate.labels < rung and shadow.failed is None for shadow in shadows):
        return
    kept = stay(shadows)
    gone = [shadow.name for shadow in shadows if shadow not in kept]
    numbers = {shadow.name: shadow.gate.numbers() for shadow in shadows}
    for shadow in kept:
        shadow.gate = lifecycle.new_gate(shadow.gate.scale)
    lifecycle.shadows = kept
    if not kept:
        lifecycle.end("failed", now, "No candidate was left in the race.", numbers)
    elif len(kept) == 1:
        sentence = f"{kept[0].name} won the race and faces {lifecycle.version}."
        lifecycle.enter("shadow", now, sentence, numbers)
    else:
        lifecycle.note("racing", now, f"{', '.join(gone)} left the race.", numbers)


def _face(lifecycle: Lifecycle, run: Run, now: int) -> Decision | None:
    """Let the challenger face the champion at the gate."""
    shadow, rules = lifecycle.shadows[0], lifecycle.rules
    if shadow.failed is not None:
        lifecycle.end("failed", now, f"The challenger dropped out: {shadow.failed}.")
        return None
    gate = shadow.gate
    verdict, worse_in = gate.verdict(rules), gate.worse_in(rules)
    numbers = gate.numbers() | {"verdict": verdict, "goal": run.goal, "worse_in": worse_in}
    events = f"on {gate.labels:,} events"
    good = verdict == "better" or verdict == run.goal == "not_worse"
    if good and not worse_in:
        if (below := _below_the_floor(gate, lifecycle.config.max_loss)) is not None:
            lifecycle.end("rejected", now, below, numbers)
            return None
        better = "better than" if verdict == "better" else "not worse than"
        sentence = f"{run.version} is {better} {lifecycle.version} {events}."
        lifecycle.note("promoted", now, sentence, numbers)
        return Decision(shadow, lifecycle.reference)
    if verdict == "worse" or good:
        where = f" in {', '.join(worse_in[:3])}" if worse_in else ""
        sentence = f"{run.version} is worse than {lifecycle.version}{where} {events}."
        lifecycle.end("rejected", now, sentence, numbers)
    elif gate.labels >= rules.max_labels:
        sentence = f"Undecided {events}: {run.version} did not prove itself."
        lifecycle.end("rejected", now, sentence, numbers)
    return None


def _below_the_floor(gate: Gate, max_loss: float | None) -> str | None:
    found = gate.challenger / gate.labels
    if max_loss is None or found <= max_loss:
        return None
    return f"Its mean loss {found:.4g} is above retrain.max_loss = {max_loss:g}."


def _prove(lifecycle: Lifecycle, now: int) -> Decision | None:
    """Let the former champion come back where the new one is worse."""
    former = lifecycle.shadows[0]
    gate, version = former.gate, lifecycle.version
    if gate.is_better(lifecycle.rules.level):
        sentence = f"{version} is worse than {former.version} was, after {gate.labels:,} events: "
        numbers = gate.numbers()
        lifecycle.note("rolled_back", now, f"{sentence}{former.version} is back.", numbers)
        decision = Decision(former, lifecycle.reference)
        lifecycle.run, lifecycle.shadows, lifecycle.reference = None, [], None
        lifecycle.changed = None
        lifecycle.version, lifecycle.pipeline = former.version, former.description
        return decision
    if gate.labels >= lifecycle.config.probation or former.failed is not None:
        lifecycle.end("kept", now, f"{version} passed its probation.", gate.numbers())
    return None
