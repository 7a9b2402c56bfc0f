"""SciPy's ``stats``, ``ndimage`` and ``integrate``, loaded when something of them is used.

River imports ``scipy.stats`` for a drift detector, a metric, a tree and a distribution,
``scipy.ndimage`` for a topic model, and ``scipy.integrate`` for what ROC AUC is when somebody reads
it: a quarter of a worker's start, and of its memory. ``importlib.util.LazyLoader`` does not help,
since two of River's modules take a name out of one at once; those names are stood in for.
"""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

_NAMED: dict[str, frozenset[str]] = {
    "scipy.stats": frozenset({"f", "multivariate_normal"}),
    "scipy.ndimage": frozenset(),
    "scipy.integrate": frozenset(),
}
"""Modules that come late, and what River takes out of them when it is imported."""


def put_off() -> None:
    """Let these modules come late in this process; what has been imported stays as it is."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in _NAMED:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec


class _Loader(Loader):
    def __init__(self, true: Loader) -> None:
        self._true = true

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Late(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__["_late"] = _Pending(self._true)


class _Pending:
    """A module that has not come yet."""

    def __init__(self, true: Loader) -> None:
        self._true = true
        self._lock = threading.RLock()
        self._is_coming = False

    def load(self, module: ModuleType) -> None:
        """Load it, or wait for the thread that does."""
        with self._lock:
            if module.__dict__.get("_late") is not self or self._is_coming:
                return  # it came while we waited, or it is its own code that asks
            self._is_coming, module.__loader__ = True, self._true
            if module.__spec__ is not None:
                module.__spec__.loader = self._true
            try:
                self._true.exec_module(module)
            finally:
                self._is_coming = False
            del module.__dict__["_late"]
            module.__class__ = ModuleType


class _Late(ModuleType):
    """A module that becomes itself at the first look at anything in it."""

    def __getattr__(self, name: str) -> Any:
        pending = self.__dict__.get("_late")
        if pending is not None and (name == "__all__" or not name.startswith("__")):
            if name in _NAMED[self.__name__]:
                return Stand(self.__name__, name)
            pending.load(self)
            if name in self.__dict__:
                return self.__dict__[name]
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}", name=name)


class Stand:
    """A function or distribution of a module that has not come yet; it is found when it is used.

    Parameters
    ----------
    module, name
        Where it is.
    """

    def __init__(self, module: str, name: str) -> None:
        self._place = (module, name)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Do what it stands for."""
        return found(*self._place)(*arguments, **named)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(found(*self._place), name)

    def __reduce__(self) -> tuple[Any, ...]:
        return found, self._place


def found(module: str, name: str) -> Any:
    """Return what a stand stands for, after loading its module."""
    loaded = importlib.import_module(module)
    pending = loaded.__dict__.get("_late")
    if pending is not None:
        pending.load(loaded)
    return loaded.__dict__[name]
