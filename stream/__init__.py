"""Events to predictions: a pure core (events, learner, pending labels) in a thin shell."""
