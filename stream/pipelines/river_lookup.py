"""From a dotted name to a class of River, or to a sentence that says what was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

from stream.pipelines.river_names import CLOSED_CLASSES, CLOSED_MODULES, MODULES, classes

_TAKES_CODE = "it takes own Python code, which comes in by factory"


def find(parts: Sequence[str]) -> type[Any]:
    """Return the class that a dotted name means.

    Parameters
    ----------
    parts
        The name, split at its dots: ``["optim", "losses", "Log"]``.

    Returns
    -------
    type
        A class that a pipeline may build.

    Raises
    ------
    LookupError
        There is none; the message says what is likely meant and what is allowed.

    Examples
    --------
    >>> find(["optim", "losses", "Log"]).__name__
    'Log'
    >>> find(["drift", "DDM"])
    Traceback (most recent call last):
        ...
    LookupError: drift has no class DDM; did you mean drift.binary.DDM?
    """
    *path, name = parts
    module = ".".join(path)
    if module not in MODULES or name.startswith("_"):
        raise LookupError(_outside(path, name))
    known = classes(module)
    if name not in known:
        raise LookupError(_no_class(module, name))
    return known[name]


def hint(name: str, known: Iterable[str]) -> str:
    """Return the end of an error message: the likely name, or those that there are.

    Parameters
    ----------
    name
        What was found.
    known
        What is allowed.

    Returns
    -------
    str
        A clause without a capital letter.

    Examples
    --------
    >>> hint("nmodels", ["model", "n_models", "seed"])
    'did you mean n_models?'
    >>> hint("x", ["model", "seed"])
    'there are: model, seed'
    """
    names = sorted(known)
    close = _closest(name, names)
    if close is not None:
        return f"did you mean {close}?"
    return f"there are: {', '.join(names)}" if names else "there are none"


def _no_class(module: str, name: str) -> str:
    if f"{module}.{name}" in CLOSED_CLASSES:
        return _TAKES_CODE
    known = classes(module)
    elsewhere = [] if _closest(name, known) else _homes(name)
    if elsewhere:
        return f"{module} has no class {name}; did you mean {' or '.join(elsewhere)}?"
    return f"{module} has no class {name}; {hint(name, known)}"


def _outside(path: Sequence[str], name: str) -> str:
    """Explain a name that is not ``module.Class`` of an allowed module."""
    module = ".".join(path)
    if path[:1] == ["river"]:
        return f"leave out 'river.': write {'.'.join([*path[1:], name])}"
    if path and path[0] in CLOSED_MODULES:
        return f"River's {path[0]} is not open to pipelines; an estimator of it comes in by factory"
    if not path and not name.startswith("_") and (homes := _homes(name)):
        return f"a class is named with its module; did you mean {' or '.join(homes)}?"
    close = _closest(module, MODULES, alike=0.8)
    if close is not None and close != module:
        return f"River has no module {module}; did you mean {close}?"
    return (
        f"only River's estimators may be named, from the modules {', '.join(MODULES)}. "
        'Own Python code comes in by factory = "package.module:function"'
    )


def _homes(name: str) -> list[str]:
    """Return ``module.Class`` for every module that holds a class of this or a similar name.

    Imports all of ``MODULES``: about a second, and only where a mistake is explained.
    """
    exact = [f"{module}.{name}" for module in MODULES if name in classes(module)]
    if exact:
        return exact
    close = _closest(name, {each for module in MODULES for each in classes(module)})
    return [f"{module}.{close}" for module in MODULES if close in classes(module)]


def _closest(name: str, known: Iterable[str], alike: float = 0.6) -> str | None:
    """Return the known name that is most like ``name``, whatever its case, if any is."""
    by_lower = {each.lower(): each for each in sorted(known)}
    # The name comes from outside and difflib takes quadratic time.
    found = difflib.get_close_matches(name.lower()[:100], by_lower, n=1, cutoff=alike)
    return by_lower[found[0]] if found else None
