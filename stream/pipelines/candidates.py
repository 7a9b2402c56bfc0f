"""The candidates of a retraining: the configured pipeline, others beside it, and grids of them."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from itertools import product

from stream.errors import PipelineError
from stream.pipelines.syntax import canonical, parse

MAX_CANDIDATES = 32
AUTO = "auto"
Value = bool | int | float | str

_TEXTS = "compose.SelectType(str) | preprocessing.OneHotEncoder()"
_SCALED = "compose.SelectType(int, float) | preprocessing.StandardScaler()"
_MIXED = f"({_TEXTS}) + ({_SCALED})"
_NUMBERS = "compose.SelectType(int, float)"

_AUTO: dict[str, dict[str, str]] = {
    "binary": {
        "logistic": f"{_MIXED} | linear_model.LogisticRegression()",
        "logistic-adam": f"{_MIXED} | linear_model.LogisticRegression(optimizer=optim.Adam(0.01))",
        "adaptive-tree": "tree.HoeffdingAdaptiveTreeClassifier()",
        "forest": "forest.ARFClassifier(n_models=5)",
        "naive-bayes": f"{_NUMBERS} | naive_bayes.GaussianNB()",
    },
    "multiclass": {
        "softmax": f"{_MIXED} | linear_model.SoftmaxRegression()",
        "adaptive-tree": "tree.HoeffdingAdaptiveTreeClassifier()",
        "forest": "forest.ARFClassifier(n_models=5)",
        "naive-bayes": f"{_NUMBERS} | naive_bayes.GaussianNB()",
    },
    "regression": {
        "linear": f"{_MIXED} | preprocessing.TargetStandardScaler("
        "linear_model.LinearRegression(clip_gradient=1))",
        "adaptive-tree": f"{_MIXED} | tree.HoeffdingAdaptiveTreeRegressor()",
        "forest": f"{_MIXED} | forest.ARFRegressor(n_models=5)",
        "neighbours": f"{_SCALED} | neighbors.KNNRegressor()",
    },
    "anomaly": {
        "half-space-trees": "compose.SelectType(int, float) | preprocessing.MinMaxScaler() | "
        "anomaly.HalfSpaceTrees()",
    },
}


def auto_candidates(task: str) -> dict[str, str]:
    """Return a sensible set of pipelines for a task, by name; the first one serves at first.

    Examples
    --------
    >>> next(iter(auto_candidates("binary")))
    'logistic'
    """
    return dict(_AUTO[task])


def expand_grid(text: str, grid: Mapping[str, Mapping[str, Sequence[Value]]]) -> list[str]:
    """Return a pipeline's text once for every combination of parameters.

    It has the meaning of River's ``utils.expand_param_grid``, on the text instead of the object, so
    that each candidate can be written down, built anew and compared.

    Parameters
    ----------
    text
        A pipeline.
    grid
        By class and parameter, the values to try. Text that is an expression of River's, such as
        ``optim.SGD(0.1)``, is one; other text is text.

    Raises
    ------
    PipelineError
        When a class does not stand in the pipeline exactly once, or there are too many.

    Examples
    --------
    >>> grid = {"LogisticRegression": {"l2": [0.0, 0.1]}}
    >>> for found in expand_grid("linear_model.LogisticRegression()", grid):
    ...     print(found)
    linear_model.LogisticRegression(l2=0.0)
    linear_model.LogisticRegression(l2=0.1)
    """
    axes = [
        (name, parameter, values)
        for name, parameters in grid.items()
        for parameter, values in parameters.items()
    ]
    sizes = [len(values) for _, _, values in axes]
    total = 1
    for size in sizes:
        total *= size
    if not 0 < total <= MAX_CANDIDATES:
        raise PipelineError(f"the grid has {total:,} combinations; 1 to {MAX_CANDIDATES} may be")
    found = []
    for chosen in product(*(values for _, _, values in axes)):
        tree = parse(text)
        for (name, parameter, _), value in zip(axes, chosen, strict=True):
            _set(tree, name, parameter, value)
        found.append(canonical(ast.unparse(tree)))
    return found


def _set(tree: ast.expr, name: str, parameter: str, value: Value) -> None:
    calls = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == name
    ]
    if len(calls) != 1:
        raise PipelineError(
            f"{name} stands {len(calls)} times in the pipeline; a grid needs it once"
        )
    call = calls[0]
    call.keywords = [keyword for keyword in call.keywords if keyword.arg != parameter]
    call.keywords.append(ast.keyword(parameter, _value(value)))


def _value(value: Value) -> ast.expr:
    if isinstance(value, str) and "." in value and value.rstrip().endswith(")"):
        return parse(value)
    return ast.Constant(value)
