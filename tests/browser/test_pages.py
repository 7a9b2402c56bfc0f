"""Every page, with real data: nothing complained of, in both themes, at any width."""

from __future__ import annotations

import struct
import zlib

import pytest
from playwright.sync_api import Page

from serve.api.dashboard.pages import PAGES
from tests.browser.conftest import axe, keep_complaints, settled
from tests.browser.worlds import HOSTILE, HOSTILE_TEXT

NAMES = [page.name for page in PAGES]
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


def distinct_rows(png: bytes) -> int:
    """Return how many different rows of pixels a screenshot has."""
    width, _height, depth, kind = struct.unpack(">IIBB", png[16:26])
    assert depth == 8
    size = {2: 3, 6: 4}[kind]
    data, at = b"", 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        if png[at + 4 : at + 8] == b"IDAT":
            data += png[at + 8 : at + 8 + length]
        at += length + 12
    raw, row = zlib.decompress(data), width * size + 1
    return len({raw[start : start + row] for start in range(0, len(raw), row)})


@pytest.fixture(scope="module")
def opened(browser, site):
    """Return pages that several tests look at, each opened once; and what it complained of."""
    context = browser.new_context(viewport=WIDE, color_scheme="light")
    pages: dict[str, tuple[Page, list[str]]] = {}

    def look(name: str) -> tuple[Page, list[str]]:
        if name not in pages:
            page, said = context.new_page(), []
            keep_complaints(page, said)
            page.goto(f"{site.url}/ui/flights/{name}")
            settled(page)
            pages[name] = (page, said)
        return pages[name]

    yield look
    context.close()


@pytest.mark.parametrize("name", NAMES)
def test_a_page_shows_real_data_and_nothing_is_complained_of(opened, name):
    page, complaints = opened(name)
    assert page.locator("h1").inner_text()
    assert not page.locator(".trouble").count()
    assert page.locator("main").inner_text().count("\n") > 15
    assert distinct_rows(page.screenshot()) > 100, "hardly anything is drawn"
    assert complaints == []


@pytest.mark.parametrize("name", NAMES)
def test_names_stay_text(opened, name):
    page, complaints = opened(name)
    assert page.locator("main img, foreignObject").count() == 0
    assert page.title().endswith("riverrun")
    assert complaints == []


@pytest.mark.parametrize("name", NAMES)
def test_axe_finds_nothing_serious(opened, name):
    page, _ = opened(name)
    assert axe(page) == []
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("() => document.documentElement.dataset.theme === 'dark'")
    assert axe(page, "color-contrast") == []
    page.emulate_media(color_scheme="light")


@pytest.mark.parametrize("name", NAMES)
def test_a_narrow_page_scrolls_in_one_direction(opened, name):
    page, complaints = opened(name)
    page.set_viewport_size(NARROW)
    page.wait_for_timeout(300)
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"], too_wide(page)
    page.locator("#menu").click()
    assert page.locator("#nav").is_visible()
    page.locator("#menu").click()
    page.set_viewport_size(WIDE)
    assert complaints == []


def too_wide(page: Page) -> list[str]:
    """Return what reaches beyond the right edge."""
    return page.evaluate(
        """() => [...document.querySelectorAll('body *')]
        .filter((one) => one.getBoundingClientRect().right > innerWidth + 1)
        .slice(0, 8).map((one) => one.outerHTML.slice(0, 120))"""
    )


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_stream_says_why_and_what_to_do(page, visit, complaints, name):
    visit(page, name, "empty")
    told = page.locator("main").inner_text()
    assert "riverrun" in told, "no command is named"
    assert not page.locator(".trouble").count()
    assert complaints == []


@pytest.mark.parametrize("name", ["overview", "drift", "feature", "schema", "performance"])
def test_without_a_closed_window_nothing_is_said_of_drift(page, visit, complaints, name):
    visit(page, name, "young")
    told = page.locator("main").inner_text().lower()
    assert "in alarm" not in told.replace("no feature is in alarm", "")
    assert "not enough samples" in told or "no window" in told or "closed" in told
    assert complaints == []


@pytest.mark.parametrize("name", NAMES)
def test_a_monitor_that_is_switched_off_is_no_trouble(page, visit, complaints, name):
    visit(page, name, "off")
    told = page.locator("main").inner_text()
    assert not page.locator(".trouble").count()
    if name in ("drift", "feature", "schema", "performance"):
        assert "monitor.enabled = true" in told
    assert all("404" in one for one in complaints), complaints


def test_a_hostile_name_is_shown_as_it_is(page, visit, complaints):
    for wanted in (HOSTILE, HOSTILE_TEXT):
        visit(page, "drift")
        page.locator("section", has_text="Columns").get_by_role("link", name=wanted).first.click()
        page.wait_for_selector(".verdict")
        settled(page)
        assert wanted in page.locator(".verdict").inner_text()
        assert page.locator("input[list=names]").input_value() == wanted
    # Plotly has drawn the names too: as the text of its labels.
    visit(page, "drift")
    ticks = page.locator(".ytick text").all_text_contents()
    assert any("<img src=x onerror" in tick for tick in ticks)
    assert any("<b>bold</b>" in tick for tick in ticks)
    assert page.title().endswith("riverrun")
    assert complaints == []


def test_colours_follow_the_system_and_the_button_and_charts_are_drawn_anew(page, visit):
    page.emulate_media(color_scheme="light")
    visit(page, "drift")

    def state():
        return page.evaluate(
            """() => [document.documentElement.dataset.theme,
                getComputedStyle(document.body).backgroundColor,
                document.querySelector('.xtick text').style.fill]"""
        )

    light = state()
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("() => document.documentElement.dataset.theme === 'dark'")
    drawn = page.locator(".chart").first
    page.wait_for_function("() => Number(document.querySelector('.chart').dataset.drawn) > 1")
    dark = state()
    assert light[0] == "light"
    assert all(one != other for one, other in zip(light, dark, strict=True)), (light, dark)
    page.locator("#theme").click()
    assert state()[0] == "light", "the button wins over the system"
    page.reload()
    settled(page)
    assert state()[0] == "light", "and is remembered"
    assert drawn.is_visible()


def test_every_chart_has_a_table_and_a_file_behind_it(page, visit):
    for name in ("drift", "feature", "schema", "performance", "system"):
        visit(page, name)
        charts = page.locator("section.panel:has(.chart)")
        assert charts.count() > 0
        for at in range(charts.count()):
            panel = charts.nth(at)
            panel.get_by_role("button", name="Table", exact=True).click()
            assert panel.locator("tbody tr").count() > 0
            with page.expect_download() as download:
                panel.get_by_role("button", name="CSV").click()
            lines = download.value.path().read_text(encoding="utf-8").splitlines()
            assert len(lines) > 1
            panel.get_by_role("button", name="Chart", exact=True).click()


def test_a_view_can_be_linked(page, visit):
    visit(page, "drift")
    page.get_by_label("Filter").fill("onerror")
    page.get_by_label("Sort by").select_option("name")
    page.wait_for_function("() => location.search.includes('q=onerror')")
    rows = page.locator(".ytick").count()
    address = page.url
    page.goto("about:blank")
    page.goto(address)
    settled(page)
    assert page.get_by_label("Filter").input_value() == "onerror"
    assert page.get_by_label("Sort by").input_value() == "name"
    assert page.locator(".ytick").count() == rows == 1


def test_a_click_in_time_moves_the_distribution(page, visit):
    visit(page, "feature?name=x")
    before = page.locator(".verdict small").inner_text()
    chart = page.locator("section", has_text="Distance over time").locator(".draglayer .nsewdrag")
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + 100
    tip = page.locator("section", has_text="Distance over time").locator(".tip")
    for step in range(50):  # a hand moves more than once, too
        page.mouse.move(x + step % 3, y)
        page.wait_for_timeout(100)
        if tip.is_visible():
            break
    assert "Window" in tip.inner_text()
    page.mouse.click(x, y)
    page.wait_for_function("() => location.search.includes('from=')")
    page.wait_for_function(
        "(before) => document.querySelector('.verdict small').innerText !== before", arg=before
    )
    assert "1 window" in page.locator(".verdict small").inner_text()
    page.go_back()
    page.wait_for_function(
        "(before) => document.querySelector('.verdict small')?.innerText === before", arg=before
    )


def test_a_prediction_opens_its_features_and_the_keyboard_closes_it(page, visit):
    visit(page, "predictions")
    page.locator("tbody button").first.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    dialog.locator("tbody tr").first.wait_for()
    assert HOSTILE in dialog.inner_text()
    assert "id=" in page.url
    page.keyboard.press("Escape")
    dialog.wait_for(state="detached")
    page.wait_for_function("() => !location.search.includes('id=')")
