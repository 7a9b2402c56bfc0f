"""The tables that pages save are for spreadsheets, which would run a formula."""

from __future__ import annotations

import csv
from io import StringIO

FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "=cmd|' /C calc'!A0", '=HYPERLINK("x")']


def test_what_could_be_a_formula_is_kept_text(page, visit):
    visit(page, "overview")
    module = page.evaluate(
        "performance.getEntriesByType('resource').map((one) => one.name)"
        ".find((name) => name.endsWith('/csv.js'))"
    )
    assert module
    text = page.evaluate(
        "async ([module, texts]) => (await import(module)).toCsv("
        "[{ label: '=name', key: 'a' }, { label: 'n', key: 'n' }],"
        "texts.map((a) => ({ a, n: -1.5 })))",
        [module, FORMULAS],
    )
    rows = list(csv.reader(StringIO(text, newline="")))
    assert rows[0][0] == "'=name"
    assert [row[0] for row in rows[1:]] == [f"'{formula}" for formula in FORMULAS]
    assert {row[1] for row in rows[1:]} == {"-1.5"}, "numbers stay numbers"
