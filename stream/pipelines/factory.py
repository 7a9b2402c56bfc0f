"""Models made by own Python code, named as ``package.module:function``.

This imports and runs what it is given: only for the command line's side, never for text that came
over HTTP.
"""

from __future__ import annotations

import difflib
import importlib
import re
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream.errors import PipelineError

if TYPE_CHECKING:
    from river import base


def load_factory(spec: str) -> base.Estimator:
    """Import a function, call it without arguments, and return the estimator that it makes.

    Parameters
    ----------
    spec
        ``"package.module:function"``, importable from where the process runs.

    Returns
    -------
    river.base.Estimator
        What the function returned. Blocks for as long as the import and the call take.

    Raises
    ------
    PipelineError
        The text is not of that form, the module or the function is not there, something in it
        raised, or it did not return an estimator of River.

    Examples
    --------
    >>> load_factory("river.linear_model:LinearRegression").l2
    0.0
    >>> load_factory("river.linear_model:LinearRegresion")
    Traceback (most recent call last):
        ...
    stream.errors.PipelineError: factory 'river.linear_model:LinearRegresion': module \
river.linear_model has no LinearRegresion; did you mean LinearRegression?
    """
    from river import base

    if not re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*", spec):
        raise _error(spec, 'expected "package.module:function", such as "models.late:build"')
    module_name, _, name = spec.partition(":")
    module = _import(spec, module_name)
    function = getattr(module, name, None)
    if function is None:
        close = difflib.get_close_matches(name, dir(module), n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise _error(spec, f"module {module_name} has no {name}{hint}")
    if not callable(function):
        raise _error(spec, f"{name} is a {type(function).__name__}, not a function")
    try:
        made = function()
    except Exception as error:
        raise _error(spec, f"the function raised {type(error).__name__}: {error}") from error
    if not isinstance(made, base.Estimator):
        raise _error(
            spec, f"the function returned a {type(made).__name__}, not an estimator of River"
        )
    return made


def _import(spec: str, name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        # The module may be there and something that it imports may not.
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            raise _error(
                spec, f"no module {error.name}; install it, or start where it can be imported"
            ) from error
        raise _error(spec, f"module {name} imports {error.name}, which is missing") from error
    except Exception as error:
        raise _error(spec, f"importing {name} raised {type(error).__name__}: {error}") from error


def _error(spec: str, message: str) -> PipelineError:
    return PipelineError(f"factory {spec[:100]!r}: {message}")


def source_of(name: str) -> bytes:
    """Return the source of the module that a factory is in; nothing where it has none.

    Parameters
    ----------
    name
        ``package.module:function``.
    """
    try:
        found = find_spec(name.partition(":")[0])
    except (ImportError, ValueError):
        return b""
    if found is None or found.origin is None:
        return b""
    try:
        return Path(found.origin).read_bytes()
    except OSError:
        return b""
