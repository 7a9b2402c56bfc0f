"""Five hundred features, five thousand windows, and how long it takes."""

from __future__ import annotations

import os
import time

from tests.browser.conftest import FINE, settled

# The machines of continuous integration are shared: there the figures are only not absurd.
SLACK = 4.0 if os.environ.get("CI", "").lower() in {"1", "true"} else 2.0


def test_the_first_page_is_usable_within_two_seconds(new_context, site):
    took = []
    for _ in range(3):
        page = new_context().new_page()  # a fresh profile: nothing is cached
        began = time.monotonic()
        page.goto(f"{site.url}/", wait_until="commit")
        page.wait_for_selector(".tile-value")
        page.wait_for_selector(FINE)
        took.append(time.monotonic() - began)
        page.context.close()
    assert min(took) < 2.0 * SLACK, took
    print(f"first page: {min(took):.2f} s")


def test_a_chart_is_there_soon_although_plotly_is_large(page, site):
    began = time.monotonic()
    page.goto(f"{site.url}/ui/flights/drift", wait_until="commit")
    page.wait_for_selector(".chart[data-drawn]")
    first = time.monotonic() - began
    sizes = page.evaluate(
        """() => performance.getEntriesByType('resource')
        .filter((one) => one.name.includes('/plotly/')).map((one) => one.encodedBodySize)"""
    )
    assert max(sizes) < 2_000_000, "it is sent compressed"
    page.reload(wait_until="commit")
    page.wait_for_selector(".chart[data-drawn]")
    again = page.evaluate(
        """() => performance.getEntriesByType('resource')
        .filter((one) => one.name.includes('/plotly/')).map((one) => one.transferSize)"""
    )
    assert max(again) == 0, "and asked for once"
    assert first < 3.0 * SLACK


def test_five_hundred_features_are_shown_in_pages_and_found_by_name(page, visit, complaints):
    visit(page, "drift", "wide")
    assert page.locator(".ytick").count() == 50
    assert "of 500" in page.locator("main").inner_text().replace("\n", " ")
    assert {"▲ f0", "▲ f1", "▲ f2"} <= set(page.locator(".ytick").all_text_contents())
    page.get_by_role("button", name="Next rows").click()
    page.wait_for_function("() => location.search.includes('page=1')")
    assert page.locator(".ytick").count() == 50
    page.get_by_label("Filter").fill("f499")
    page.wait_for_function("() => document.querySelectorAll('.ytick').length === 1")
    visit(page, "feature?name=f499", "wide")
    assert "f499 has not drifted" in page.locator(".verdict").inner_text()
    visit(page, "overview", "wide")
    assert "3 features drifting" in page.locator(".hero").inner_text()
    assert complaints == []


def test_five_thousand_windows_freeze_nothing(page, visit, complaints):
    page.add_init_script(
        """globalThis.slow = [];
        new PerformanceObserver((list) => slow.push(...list.getEntries().map((one) =>
            one.duration))).observe({type: 'longtask', buffered: true});"""
    )
    visit(page, "drift?n=500", "long")
    assert "500 windows" in page.locator("main").inner_text()
    assert max(page.evaluate("slow"), default=0) < 1_000 * SLACK  # Plotly's own start among them
    first = page.locator(".xtick").first.text_content()
    page.get_by_role("button", name="Older").click()
    page.wait_for_function(
        "(first) => document.querySelector('.xtick')?.textContent !== first", arg=first
    )
    assert "before=" in page.url
    for name in ("performance?n=1000", "schema", "feature?name=x", "overview", "system"):
        visit(page, name, "long")
        assert not page.locator(".trouble").count()
    assert complaints == []


def test_a_heatmap_of_fifty_by_five_hundred_is_redrawn_in_a_tenth_of_a_second(page, visit):
    visit(page, "drift", "wide")
    took = page.evaluate(
        """async () => {
            const chart = document.querySelector('.chart');
            const took = [];
            for (let turn = 0; turn < 5; turn += 1) {
                const z = Array.from({length: 50}, () =>
                    Array.from({length: 500}, () => Math.random() * 3));
                const data = [{...chart.data[0], xgap: 0, z, x: undefined, y: undefined}];
                const layout = {...chart.layout, shapes: []};
                layout.xaxis = {...layout.xaxis, range: [-0.5, 499.5]};
                const began = performance.now();
                await Plotly.react(chart, data, layout);
                took.push(performance.now() - began);
            }
            return took.sort((one, other) => one - other);
        }"""
    )
    print(f"50 x 500: {took[0]:.0f} to {took[-1]:.0f} ms")
    assert took[0] < 100 * SLACK, took  # others share the machine: what it can do, not what it did


def test_one_feature_is_enough(page, visit, complaints):
    for name in ("overview", "drift", "feature"):
        visit(page, name, "long")
        settled(page)
    assert "x has drifted" in page.locator(".verdict").inner_text()
    assert complaints == []
