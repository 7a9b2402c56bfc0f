"""The notebook of docs/monitoring.md: five lines of Python."""

from tests.docs.pages import blocks_of, read_page

PAGE = read_page("monitoring.md")


def test_the_five_lines_find_what_the_page_says():
    five, data = blocks_of(PAGE, "python")
    lines = [line for line in five.splitlines() if line]
    assert len(lines) <= 5
    scope: dict[str, object] = {}
    exec(data, scope)
    *statements, last = lines
    exec("\n".join(statements), scope)
    assert eval(last, scope) == ("amount",)
    assert "`('amount',)`" in PAGE


def test_data_frames_work_as_the_page_says():
    import numpy as np
    import pytest

    pandas = pytest.importorskip("pandas")
    from monitor import Monitor

    rng = np.random.default_rng(1)

    def frame(mean: float) -> object:
        values = rng.normal(mean, size=2000)
        values[::7] = np.nan
        return pandas.DataFrame(
            {"x": values, "n": rng.poisson(4, 2000), "c": rng.choice(["a", "b"], 2000)}
        )

    before, after = frame(0.0), frame(0.5)
    monitor = Monitor().fit({name: before[name].to_numpy() for name in before})
    report = monitor.compare({name: after[name].to_numpy() for name in after})
    assert report.alarms == ("x",)
