"""docs/alerts.md names every kind of alert, and its webhook is what is posted."""

from __future__ import annotations

import json
import re

import pytest

from serve.notify.alertmanager import LASTS_SECONDS
from serve.notify.alerts import KINDS, alert
from serve.notify.webhook import payload
from tests.docs.pages import blocks_of, read_page

PAGE = read_page("alerts.md")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_explained_with_its_severity(kind):
    assert f"| `{kind}` | `{KINDS[kind].name}` |" in PAGE
    if kind != "test":
        rows = re.findall(rf"^\|[^|]*`{kind}`[^|]*\| (\w+) \|", PAGE, re.MULTILINE)
        assert KINDS[kind].severity in rows


def test_the_webhook_has_the_fields_that_are_shown():
    (text,) = blocks_of(PAGE, "json")
    shown = json.loads(text)
    made = payload(alert("flights", "promoted", "run/7", 0.0, "A sentence.", {}, "v8"))
    assert list(made) == list(shown)
    assert (made["id"], made["severity"]) == (shown["id"], shown["severity"])
    for field in shown:
        assert f"`{field}`" in PAGE


def test_the_figures_are_those_of_the_code():
    assert LASTS_SECONDS == 7 * 86_400
    for variable in re.findall(r"RIVERRUN_ALERTS_[A-Z]+_[A-Z]+", PAGE):
        assert variable in (
            "RIVERRUN_ALERTS_WEBHOOK_TOKEN",
            "RIVERRUN_ALERTS_WEBHOOK_SECRET",
            "RIVERRUN_ALERTS_ALERTMANAGER_TOKEN",
        )
