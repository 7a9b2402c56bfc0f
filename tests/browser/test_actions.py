"""What changes something: asked for a reason, refused to a viewer, done for an operator."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest
from playwright.sync_api import Page

from serve.api.auth.roles import Role
from tests.browser.conftest import settled
from tests.browser.site import Site
from tests.browser.worlds import Lived, lived_event, lived_world
from tests.serve.auth.conftest import Guarded

VERDICT = "(said) => document.querySelector('.verdict').innerText.includes(said)"


class Doored(NamedTuple):
    """A site with keys."""

    site: Site
    keys: dict[str, str]
    world: Lived


@pytest.fixture(scope="module")
def doored(browser, tmp_path_factory) -> Iterator[Doored]:
    folder = tmp_path_factory.mktemp("doored")
    world = lived_world(folder, api={"port": 0, "keys_file": str(folder / "keys.toml")})
    guarded = Guarded(world)
    site = Site([world], guarded.access())
    site.start()
    yield Doored(site, guarded.keys, world)
    site.stop()
    world.close()


def sign_in(page: Page, doored: Doored, role: Role, path: str = "/ui/flights/retraining") -> None:
    page.goto(doored.site.url + path)
    page.wait_for_url("**/ui/sign-in?*")
    page.get_by_label("Key").fill(doored.keys[role.label])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"**{path}")
    settled(page)


def ask(page: Page, button: str, reason: str) -> None:
    page.get_by_role("button", name=button, exact=True).first.click()
    dialog = page.get_by_role("dialog")
    assert len(dialog.locator(".consequence").inner_text()) > 60
    dialog.get_by_label("Why?").fill(reason)
    dialog.locator("button[type=submit]").click()


def answered(doored: Doored) -> None:
    """Let the worker look at what is asked, and answer."""
    known = doored.world.worker.line.counts.events
    doored.world.append(lived_event(2_000 + known))
    doored.world.work()


def test_nobody_sees_anything_before_signing_in(page, doored, complaints):
    page.goto(f"{doored.site.url}/ui/nobody-knows/drift?q=1")
    page.wait_for_url("**/ui/sign-in?*")
    assert "flights" not in page.content()
    page.get_by_label("Key").fill("rr_wrong")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_function("() => document.getElementById('problem').textContent")
    assert "sign-in" in page.url
    assert all("401" in one for one in complaints)


def test_a_sign_in_goes_nowhere_else(page, doored):
    for to in ("https://example.org/ui", "//example.org/ui", "javascript:alert(1)", "/v1"):
        page.goto(f"{doored.site.url}/ui/sign-in?to={to}")
        page.get_by_label("Key").fill(doored.keys["viewer"])
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/ui/flights/overview")


def test_a_viewer_is_refused_and_nothing_is_asked_of_the_worker(page, doored):
    sign_in(page, doored, Role.VIEWER)
    assert "viewer" in page.locator("#session").inner_text()
    ask(page, "Retrain", "I should like to")
    page.wait_for_function("() => document.querySelector('dialog .refused').textContent")
    assert "operator" in page.locator("dialog .refused").inner_text()
    assert doored.world.store.runs.asked() == []


def test_an_operator_promotes_and_rolls_back(page, doored):
    sign_in(page, doored, Role.OPERATOR)
    before = len(doored.world.store.runs.changes(None))
    ask(page, "Promote", "it is from the lab")
    page.wait_for_function("() => document.querySelector('.toast')")
    answered(doored)
    page.locator(".toast.ok, .toast.bad").first.wait_for()
    assert page.locator(".toast.bad").count() == 0, page.locator(".toasts").inner_text()
    page.wait_for_function(VERDICT, arg="on probation")
    changes = doored.world.store.runs.changes(None)
    assert len(changes) > before
    assert "it is from the lab" in str(changes)
    ask(page, "Roll back", "it was worse")
    page.wait_for_function("() => !document.querySelector('dialog')")
    answered(doored)
    page.locator(".toast.ok", has_text="v1 serves").wait_for()
    newest = doored.world.store.newest()
    assert newest is not None
    assert newest.version == "v1"


def test_without_a_reason_nothing_is_sent(page, doored):
    sign_in(page, doored, Role.OPERATOR)
    page.get_by_role("button", name="Retrain", exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Why?").fill("   ")
    dialog.locator("button[type=submit]").click()
    page.wait_for_function("() => document.querySelector('dialog .refused').textContent")
    page.keyboard.press("Escape")
    dialog.wait_for(state="detached")
    assert doored.world.store.runs.asked() == []


def test_whoever_signs_out_is_out(page, doored):
    sign_in(page, doored, Role.VIEWER)
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/ui/sign-in?*")
    page.goto(f"{doored.site.url}/ui/flights/drift")
    page.wait_for_url("**/ui/sign-in?*")


def test_a_session_that_ends_leads_back_to_the_sign_in(page, doored):
    sign_in(page, doored, Role.VIEWER, "/ui/flights/overview")
    page.context.clear_cookies()
    answered(doored)  # a live event: the page asks for what is new, and is nobody
    page.wait_for_url("**/ui/sign-in?to=*overview")


def test_an_operator_replays_dead_letters_and_a_viewer_does_not(page, doored):
    doored.world.append_bytes(b"no JSON at all")
    doored.world.work()
    sign_in(page, doored, Role.VIEWER, "/ui/flights/schema")
    ask(page, "Replay", "I should like to")
    page.wait_for_function("() => document.querySelector('dialog .refused').textContent")
    assert "operator" in page.locator("dialog .refused").inner_text()
    page.context.clear_cookies()
    sign_in(page, doored, Role.OPERATOR, "/ui/flights/schema")
    ask(page, "Replay", "the schema was mended")
    toast = page.locator(".toast.ok", has_text="dead letter")
    toast.wait_for()
    assert "would be rejected again" in toast.inner_text()
