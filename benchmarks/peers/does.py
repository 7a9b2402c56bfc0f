"""What each contestant does beside its speed, in words: a table that a person wrote."""

from __future__ import annotations

_COLUMNS = ("what", "plain loop", "Quix Streams", "Faust", "chantilly", "riverrun")
_ROWS = (
    (
        "learns from each event exactly once through a crash",
        "but for a crash between the pickle and the commit; not with offsets left to the client",
        "with the model in its state, exactly-once and a pickle with each event",
        "what exactly-once with the model in a table is for; the ledger above shows what it did",
        "no: it knows no offsets",
        "yes",
    ),
    (
        "each prediction comes out once",
        "no, again after a crash",
        "with exactly-once, for readers of committed records",
        "with exactly-once, for readers of committed records",
        "an answer to a request",
        "no, again after a crash; each carries the place of its event",
    ),
    (
        "after a kill it goes on",
        "after the group's session timeout",
        "after the group's session timeout, and its changelog",
        "after the group's session timeout, and its changelog",
        "at once; what its shelf lost is lost",
        "at once",
    ),
    (
        "labels that come later",
        "to be written",
        "to be written, on keyed state",
        "to be written, on tables",
        "yes, by id, without a bound",
        "yes: by id, with limits in time and number, counted",
    ),
    (
        "several processes on one stream",
        "yes, with a model each",
        "yes, with a model for each key",
        "yes, with a model for each key",
        "no",
        "one learns; any number answer over HTTP",
    ),
    (
        "windows, joins, other topologies",
        "to be written",
        "yes",
        "yes",
        "no",
        "no",
    ),
    (
        "schema, and what becomes of bad events",
        "to be written",
        "a callback for errors",
        "typed records; an error ends the agent, and is logged",
        "an HTTP error",
        "checked, dead letters with reason, replay",
    ),
    (
        "scores, drift, alarms",
        "to be written",
        "no",
        "no",
        "metrics",
        "yes, beside baselines; a dashboard",
    ),
    (
        "versions, retraining, the way back",
        "to be written",
        "no",
        "no",
        "several models at once",
        "yes",
    ),
    (
        "predictions over HTTP",
        "to be written",
        "no",
        "web views to be written",
        "yes",
        "yes",
    ),
)
DOES = [dict(zip(_COLUMNS, row, strict=True)) for row in _ROWS]

NOTES = """
Events carry one key, so that Quix and Faust can keep one model by key without a second topic.
*Plain loop* is what is written first: predictions are flushed, the model is pickled beside its
file and renamed, then offsets are committed. Pickling with each event costs as much as the model is
large; a Hoeffding tree's pickle grows with its leaves. chantilly is asked over a kept connection by
a loop that reads the topic; it takes the first pipeline only, with one thread, because its files
take no second one. It is not killed: nothing of it is meant to survive that. Where Faust's ledger
is not even, why has not been looked into; its settings are those that its documentation names.
"""
