"""Live: events within two seconds, one connection for all tabs, and a server that comes back."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import settled
from tests.browser.worlds import lived_event
from tests.serve.watched import damage

EVENTS = "() => document.querySelector('.tile .tile-more')?.textContent"
IS_STREAM = re.compile(r"/live(\?|$)").search
IS_LIVE = "() => document.getElementById('link').dataset.link === 'live'"


def more_events(world, count: int = 5) -> int:
    """Let the worker read some more events; return how many it has read in all."""
    known = world.worker.line.counts.events
    world.append(*(lived_event(1_000 + known + one) for one in range(count)))
    world.work()
    return world.worker.line.counts.events


def says(count: int) -> str:
    """Return a script that is true when the overview tells so many events."""
    return f"() => ({EVENTS})().startsWith('{count} events')"


def live(page: Page) -> None:
    page.wait_for_function(IS_LIVE)


def test_an_event_is_seen_within_two_seconds(page, visit, lived):
    visit(page, "overview")
    live(page)
    began = time.monotonic()
    count = more_events(lived)
    read = time.monotonic()
    page.wait_for_function(says(count))
    assert time.monotonic() - read < 2.0, f"it took the worker {read - began:.1f} s besides"


def test_a_table_of_predictions_moves_on_without_being_asked(page, visit, lived):
    visit(page, "predictions")
    live(page)
    newest = page.locator("tbody tr").first.inner_text()
    more_events(lived)
    page.wait_for_function(
        "(newest) => document.querySelector('tbody tr').innerText !== newest", arg=newest
    )


def test_two_tabs_share_one_connection_and_the_second_takes_it_over(new_context, site, lived):
    context = new_context()
    connections: list[str] = []
    context.on("request", lambda one: connections.append(one.url) if IS_STREAM(one.url) else None)
    first, second = context.new_page(), context.new_page()
    for page in (first, second):
        page.goto(f"{site.url}/ui/flights/overview")
        settled(page)
        live(page)
    assert len(connections) == 1, connections
    count = more_events(lived)
    for page in (first, second):
        page.wait_for_function(says(count))
    assert len(connections) == 1, connections
    first.close()
    count = more_events(lived)
    second.wait_for_function(says(count))
    assert len(connections) == 2, connections
    live(second)


def test_pages_say_that_they_are_disconnected_and_come_back_by_themselves(new_context, site, lived):
    context = new_context()
    first, second = context.new_page(), context.new_page()
    for page in (first, second):
        page.goto(f"{site.url}/ui/flights/overview")
        settled(page)
        live(page)
    site.stop()
    try:
        for page in (first, second):
            page.locator("#banner").wait_for(state="visible")
            assert "Disconnected" in page.locator("#banner").inner_text()
            page.wait_for_function("() => /Next try in \\d+ s/.test(banner.textContent)")
            assert page.locator(".tile-value").first.inner_text(), "what was known stays"
        count = more_events(lived)
    finally:
        site.start()
    # It may have come back by itself meanwhile: then the button is there, and hidden.
    second.evaluate("() => document.querySelector('#banner button').click()")
    for page in (first, second):
        live(page)
        page.locator("#banner").wait_for(state="hidden")
        page.wait_for_function(says(count))


def test_what_was_known_stays_marked_stale_and_can_be_asked_for_again(page, visit, lived):
    visit(page, "overview")
    live(page)
    shown = page.locator("section", has_text="Latest happenings")
    rows = shown.locator("li").count()
    damage(lived, "ALTER TABLE happenings RENAME TO happenings_away")
    try:
        shown.locator(".trouble").wait_for(timeout=15_000)
        told = shown.locator(".trouble").inner_text()
        assert "Request" in told
        assert "Try again" in told
        assert shown.locator("li").count() == rows > 0
        assert shown.locator(".stale-mark").is_visible()
    finally:
        damage(lived, "ALTER TABLE happenings_away RENAME TO happenings")
    shown.get_by_role("button", name="Try again").click()
    page.wait_for_function("() => !document.querySelector('.trouble')")
    assert not shown.locator(".stale-mark").is_visible()


def test_a_page_that_cannot_load_anything_says_which_request_failed(page, visit, complaints):
    visit(page, "feature?name=nothing-like-it")
    told = page.locator(".trouble").first.inner_text()
    assert "nothing-like-it" in told
    assert "Request" in told
    asked = page.locator(".trouble code").first.inner_text()
    assert len(asked) >= 16
    assert all("404" in one for one in complaints)


@pytest.mark.parametrize("path", ["/ui/flights/nothing", "/ui/nobody/overview"])
def test_what_is_not_there_is_told(page, site, path):
    answer = page.goto(site.url + path)
    assert answer.status == 404
    assert answer.json()["known"]
