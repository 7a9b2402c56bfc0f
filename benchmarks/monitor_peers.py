"""What a peer does, run by the Python that the peer is installed in.

One line of JSON comes in for each job, and one goes out. Data is read from .npy files. This file
imports nothing of riverrun, and the peer only when the first job asks for it.
"""

from __future__ import annotations

import json
import os
import sys
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd

Job = dict[str, Any]
Alarms = list[list[int]]


def frames(job: Job) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Return reference, current, and the names of the categorical columns."""
    categorical = [f"x{at}" for at in job.get("categorical", [])]
    result = []
    for part in ("reference", "current"):
        values = np.load(job[part])
        frame = pd.DataFrame(values, columns=[f"x{at}" for at in range(values.shape[1])])
        for name in categorical:
            codes = frame[name].astype(int)
            frame[name] = [f"c{code}" for code in codes.tolist()]
        result.append(frame)
    return result[0], result[1], categorical


def evidently_report(job: Job) -> Job:
    """Run DataDriftPreset with its defaults; CPU seconds of the run and of reading its result."""
    from evidently import Report
    from evidently.presets import DataDriftPreset

    reference, current, _ = frames(job)
    started = time.process_time()
    snapshot = Report([DataDriftPreset()]).run(current, reference)
    found = snapshot.dict()["metrics"]
    seconds = time.process_time() - started
    values = {m["config"]["column"]: float(m["value"]) for m in found if "column" in m["config"]}
    methods = sorted({f"{m['config']['method']}, threshold {m['config']['threshold']}"
                      for m in found if "method" in m["config"]})  # fmt: skip
    return {"seconds": seconds, "values": values, "methods": methods}


def _evidently_test(reference: pd.Series, current: pd.Series, kind: str) -> Any:
    """Run the test that DataDriftPreset chooses for a column, with its threshold."""
    from evidently.legacy.calculations.stattests import get_stattest
    from evidently.legacy.core import ColumnType

    test = get_stattest(reference, current, kind, None)
    return test(reference, current, ColumnType(kind), None)


def evidently_tests(job: Job) -> Job:
    """Run the tests of the preset alone, without its report; CPU seconds and scores."""
    reference, current, categorical = frames(job)
    started = time.process_time()
    values = {
        name: float(_evidently_test(reference[name].dropna(), current[name].dropna(),
                                    "cat" if name in categorical else "num").drift_score)
        for name in reference
    }  # fmt: skip
    return {"seconds": time.process_time() - started, "values": values}


def evidently_alarms(job: Job) -> Job:
    """Hold each pane against the reference; a row of 0 and 1 a pane, one for each column."""
    reference, current, categorical = frames(job)
    rows = int(job["pane"])
    columns = []
    for name in reference:
        kind = "cat" if name in categorical else "num"
        known, stream = reference[name].dropna(), current[name]
        parts = (stream.iloc[at : at + rows].dropna() for at in range(0, len(stream), rows))
        columns.append([int(bool(_evidently_test(known, part, kind).drifted)) for part in parts])
    return {"alarms": [list(row) for row in zip(*columns, strict=True)]}


def _nannyml_drift(reference: pd.DataFrame, chunk: int) -> Any:
    import nannyml

    return nannyml.UnivariateDriftCalculator(
        column_names=list(reference),
        chunk_size=chunk,
        continuous_methods=["jensen_shannon"],
        categorical_methods=["jensen_shannon"],
    ).fit(reference)


def nannyml_report(job: Job) -> Job:
    """Fit and calculate univariate Jensen-Shannon; CPU seconds of each."""
    reference, current, _ = frames(job)
    chunk = int(job["pane"])
    started = time.process_time()
    calculator = _nannyml_drift(reference, chunk)
    fitted = time.process_time()
    found = calculator.calculate(current)
    seconds = time.process_time() - fitted
    chunks = len(found.filter(period="analysis").to_df())
    return {"fit_seconds": fitted - started, "seconds": seconds, "chunks": chunks}


def nannyml_alarms(job: Job) -> Job:
    """Return alerts by chunk and column; with `more`, of missing values and of the PCA too."""
    import nannyml

    reference, current, _ = frames(job)
    chunk = int(job["pane"])
    table = _nannyml_drift(reference, chunk).calculate(current).filter(period="analysis").to_df()
    result: Job = {"alarms": _alerts(table, list(reference), "jensen_shannon")}
    if job.get("more"):
        missing = nannyml.MissingValuesCalculator(column_names=list(reference), chunk_size=chunk)
        table = missing.fit(reference).calculate(current).filter(period="analysis").to_df()
        result["missing"] = _alerts(table, list(reference), "missing_values_rate")
        pca = nannyml.DataReconstructionDriftCalculator(
            column_names=list(reference), chunk_size=chunk
        )
        table = pca.fit(reference).calculate(current).filter(period="analysis").to_df()
        result["pca"] = (
            table["reconstruction_error"]["alert"].astype(int).to_numpy()[:, None].tolist()
        )
    return result


def _alerts(table: pd.DataFrame, names: list[str], method: str) -> Alarms:
    found: Alarms = np.stack(
        [
            (table[name][method] if method in table[name] else table[name])["alert"]
            .astype(int)
            .to_numpy()
            for name in names
        ],
        axis=1,
    ).tolist()
    return found


def versions(job: Job) -> Job:
    """Return what is installed."""
    return {"versions": {name: version(name) for name in job["names"]}}


TASKS: dict[str, Callable[[Job], Job]] = {
    task.__name__: task
    for task in (
        evidently_report,
        evidently_tests,
        evidently_alarms,
        nannyml_report,
        nannyml_alarms,
        versions,
    )
}


def main() -> None:
    """Do jobs until the input ends."""
    # What a peer prints must not come between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    for line in sys.stdin:
        job = json.loads(line)
        try:
            answer = TASKS[job["task"]](job)
        except Exception as error:  # noqa: BLE001 - a peer's failure is a result to be shown
            answer = {"error": f"{type(error).__name__}: {error}"[:300]}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
