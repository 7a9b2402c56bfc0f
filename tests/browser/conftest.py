"""Debian's Chromium over a real API; one of each for all tests of the dashboard."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from tests.browser.site import Site
from tests.browser.worlds import (
    Lived,
    divided_world,
    empty_world,
    lived_world,
    long_world,
    off_world,
    wide_world,
    young_world,
)
from tests.conftest import real_thing

# Chromium would ask its maker for news, which a closed network answers with refusals.
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
FINE = "#content[aria-busy=false]"
AXE = files("axe_playwright_python") / "axe.min.js"


# Of the package, not of the session: while Playwright runs, its event loop is this thread's, and
# other tests want one of their own.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Return Chromium; without it skip on a laptop and fail in CI."""
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    if path is None:
        missing = FileNotFoundError("no Chromium: apt-get install chromium")
        real_thing(missing)
        raise missing
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with sync_playwright() as playwright:
            launched = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
            yield launched
            launched.close()


@pytest.fixture(scope="package", autouse=True)
def _hurried() -> Iterator[None]:
    """Let people be heard at once, and an idle worker return at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("stream.people._LOOK_SECONDS", 0.0)
        patch.setattr("stream.worker._POLL_SECONDS", 0.01)
        patch.setattr("stream.training.supervisor._LOOK_SECONDS", 0.0)
        yield


@pytest.fixture(scope="package")
def lived(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    """Return a stream that has seen everything."""
    world = lived_world(tmp_path_factory.mktemp("lived"))
    yield world
    world.close()


@pytest.fixture(scope="package")
def site(lived: Lived, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Return a server of many streams."""
    makers: dict[str, Callable[[Path], Any]] = {
        "empty": empty_world, "young": young_world, "off": off_world, "wide": wide_world,
        "long": long_world, "divided": divided_world,
    }  # fmt: skip
    others = [make(tmp_path_factory.mktemp(name)) for name, make in makers.items()]
    served = Site([lived, *others])
    served.start()
    yield served
    served.stop()
    for world in others:
        world.close()


@pytest.fixture
def complaints() -> list[str]:
    """What the browser complained about."""
    return []


@pytest.fixture
def new_context(browser: Browser, complaints: list[str]) -> Iterator[Callable[..., BrowserContext]]:
    """Make browsers' profiles whose pages keep what goes wrong in them."""
    made = []

    def make(**options: Any) -> BrowserContext:
        context = browser.new_context(**({"viewport": {"width": 1280, "height": 900}} | options))
        context.set_default_timeout(10_000)

        context.on("page", lambda page: keep_complaints(page, complaints))
        made.append(context)
        return context

    yield make
    for context in made:
        context.close()


@pytest.fixture
def page(new_context: Callable[..., BrowserContext]) -> Page:
    """Return a page of a fresh profile."""
    return new_context().new_page()


@pytest.fixture
def visit(site: Site) -> Callable[..., None]:
    """Open a page of the dashboard, and wait until its panels have data or say why not."""

    def go(page: Page, name: str, stream: str = "flights") -> None:
        page.goto(f"{site.url}/ui/{stream}/{name}")
        settled(page)

    return go


def keep_complaints(page: Page, into: list[str]) -> None:
    """Write down the errors and warnings of a page."""

    def said(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            into.append(f"{message.text} ({message.location})")

    page.on("pageerror", lambda error: into.append(str(error)))
    page.on("console", said)


def settled(page: Page) -> None:
    """Wait until nothing on a page loads any more, and every chart is drawn."""
    page.wait_for_selector(FINE)
    page.wait_for_function(
        """() => !document.querySelector('.panel[aria-busy=true], .skeleton')
        && [...document.querySelectorAll('.chart')].every((one) =>
            one.dataset.drawn || one.offsetParent === null)"""
    )


def axe(page: Page, *rules: str) -> list[str]:
    """Return what axe finds that is serious or worse, and where; by all rules, or some."""
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if rules:
        options["runOnly"] = {"type": "rule", "values": list(rules)}
    page.evaluate(AXE.read_text(encoding="utf-8"))
    run = "async (options) => (await axe.run(document, options)).violations"
    found = page.evaluate(run, options)
    return [
        f"{one['id']} at {node['target']}: {node['html'][:160]}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]
