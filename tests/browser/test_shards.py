"""The overview of a divided stream shows every shard, and which of them nobody works on."""

from __future__ import annotations

import csv

import pytest

from tests.browser.conftest import axe


@pytest.fixture
def rows(page, visit):
    """Return the rows of the panel of shards, as texts, once each shard's lag is known."""
    visit(page, "overview", "divided")
    panel = page.locator("section.panel", has=page.get_by_role("heading", name="Shards"))
    panel.locator("tr.bad").wait_for(timeout=30_000)
    found = panel.locator("tbody tr")
    return [found.nth(at).locator("td, th").all_inner_texts() for at in range(found.count())]


def test_every_shard_has_its_worker_and_its_numbers(page, rows, site, complaints):
    assert [row[0] for row in rows] == [f"{number}-of-4" for number in range(4)]
    (world,) = [one for one in site.worlds if one.config.stream.name == "divided"]
    shards = world.store.sharding.all()
    assert [row[1] for row in rows] == [shard.owner for shard in shards]
    assert {row[2] for row in rows} == {"1"}
    assert sum(int(row[4]) for row in rows) == 40, "behind"
    for row, shard in zip(rows, shards, strict=True):
        counts = shard.newest.status["counts"]
        assert row[5:8] == [str(counts[key]) for key in ("events", "learned", "pending")]
    assert axe(page) == []
    assert complaints == []


def test_a_shard_that_nobody_works_on_is_marked_and_the_page_says_so(page, rows):
    marked = page.locator("section.panel tr.bad").all_inner_texts()
    assert len(marked) == 1
    assert marked[0].startswith("2-of-4")
    hero = page.locator(".hero").inner_text()
    assert "The worker is not well" in hero
    assert "nobody works on 1 of 4 shards, such as 2-of-4" in hero


def test_the_rows_can_be_saved(page, rows, tmp_path):
    with page.expect_download() as started:
        page.get_by_role("button", name="Save Shards as CSV").click()
    started.value.save_as(tmp_path / "shards.csv")
    with (tmp_path / "shards.csv").open(encoding="utf-8-sig") as file:
        saved = list(csv.reader(line for line in file if not line.startswith("#")))
    assert [row[0] for row in saved[1:]] == [f"{number}-of-4" for number in range(4)]


def test_a_stream_that_is_not_divided_has_no_such_panel(page, visit):
    visit(page, "overview", "flights")
    assert not page.get_by_role("heading", name="Shards").count()
