"""The walker that turns a pipeline's tree into River's objects."""

from __future__ import annotations

import ast
import inspect
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from stream.errors import PipelineError
from stream.pipelines import river_lookup, river_names
from stream.pipelines.steps import describe, steps_problem, transformer_problem
from stream.pipelines.syntax import dotted, mistake

MAX_COPIES: Final = 10_000

_TYPES: Final[Mapping[str, type[Any]]] = {"int": int, "float": float, "str": str, "bool": bool}

_OPERATORS: Final[Mapping[type[ast.operator], tuple[str, Callable[[Any, Any], Any]]]] = {
    ast.BitOr: ("|", operator.or_),
    ast.Add: ("+", operator.add),
    ast.Mult: ("*", operator.mul),
}


class Reader:
    """Builds the values that one text names.

    ``copies`` counts the estimators that River will make: a wrapper clones what it is given,
    sometimes more than once, so wrappers within wrappers grow like a power.
    """

    def __init__(self, text: str, seed: int) -> None:
        self.text = text
        self.seed = seed
        self.copies = 0

    def mistake(self, node: ast.AST, message: str) -> PipelineError:
        """Return the error for a node of this text."""
        return mistake(self.text, node, message)

    def read(self, node: ast.expr) -> Any:
        """Return the value of a node. The recursion is as deep as the tree, which is bounded."""
        match node:
            case ast.Constant(value=value):
                return value
            case ast.UnaryOp(operand=ast.Constant(value=int() | float() as value)):
                return -value
            case ast.List(elts=items):
                return [self.read(item) for item in items]
            case ast.Tuple(elts=items):
                return tuple([self.read(item) for item in items])
            case ast.Set(elts=items):
                return {self._read_key(item) for item in items}
            case ast.Dict(keys=keys, values=values):
                pairs = zip(keys, values, strict=True)
                return {self._read_key(key): self.read(value) for key, value in pairs if key}
            case ast.BinOp():
                return self._combine(node)
            case ast.Call():
                return self._build(node)
            case ast.Name(id=name) if name in _TYPES:
                return _TYPES[name]
        found = self._find(node)
        raise self.mistake(node, f"{found.__name__} is a class; write {found.__name__}()")

    def _read_key(self, node: ast.expr) -> Any:
        key = self.read(node)
        try:
            hash(key)
        except TypeError as error:
            raise self.mistake(node, "a list, set or dict cannot be a key") from error
        return key

    def _combine(self, node: ast.BinOp) -> Any:
        """Apply an operator to two estimators."""
        from river import base

        symbol, apply = _OPERATORS[type(node.op)]
        sides = [(side, self.read(side)) for side in (node.left, node.right)]
        for side, value in sides:
            if not isinstance(value, base.Estimator):
                by = "; to group by a feature, use compose.Grouper" if symbol == "*" else ""
                raise self.mistake(
                    side, f"found {describe(value)}; '{symbol}' joins two estimators{by}"
                )
        for side, value in sides[: 1 if symbol == "|" else 2]:
            problem = transformer_problem(value)
            if problem is not None:
                raise self.mistake(side, problem)
        return self._run(node, apply, [value for _, value in sides], {})

    def _build(self, node: ast.Call) -> Any:
        """Call a class of River with the arguments given, and the seed where it takes one."""
        found = self._find(node.func)
        parameters = inspect.signature(found).parameters
        bound = self._bind(node, found)
        before, self.copies = self.copies, 0
        values = {
            name: self._read_argument(name, argument, parameters[name])
            for name, argument in bound.arguments.items()
        }
        self.copies = before + self._count(node, found, values, parameters)
        if "seed" in parameters and values.get("seed") is None:
            values["seed"] = self.seed
        bound.arguments = values
        built = self._run(node, found, bound.args, bound.kwargs)
        unseeded = self._unseeded(built, values, parameters)
        if unseeded:
            values.update(unseeded)
            built = self._run(node, found, bound.args, bound.kwargs)
        problem = steps_problem(built)
        if problem is not None:
            raise self.mistake(node, problem)
        return built

    def _unseeded(self, built: Any, values: Mapping[str, Any], names: Iterable[str]) -> Any:
        """Return the parts that River made by itself without a seed, with one.

        A KNNClassifier that is given no engine makes a SWINN that starts at random.
        """
        from river import base

        made = {name: getattr(built, name, None) for name in names if values.get(name) is None}
        return {
            name: part.clone({"seed": self.seed})
            for name, part in made.items()
            if isinstance(part, base.Estimator) and getattr(part, "seed", 0) is None
        }

    def _bind(self, node: ast.Call, found: type[Any]) -> inspect.BoundArguments:
        """Match arguments, still unread, with parameters."""
        signature = inspect.signature(found)
        names = {
            name
            for name, each in signature.parameters.items()
            if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)
        }
        # utils.Rolling hands unknown keywords to the class that it rolls. Elsewhere in River they
        # go to print().
        forwards = found.__name__ == "Rolling"
        given: dict[str, ast.expr] = {}
        for each in node.keywords:
            name = str(each.arg)
            if name in given:
                raise self.mistake(each, f"{name} is given twice")
            if name not in names and not forwards:
                hint = river_lookup.hint(name, names)
                raise self.mistake(each, f"{found.__name__} has no parameter {name}; {hint}")
            given[name] = each.value
        try:
            return signature.bind(*node.args, **given)
        except TypeError as error:
            raise self.mistake(
                node, f"{error}; it is {found.__name__}{_plain(signature)}"
            ) from None

    def _read_argument(self, name: str, argument: Any, parameter: inspect.Parameter) -> Any:
        if parameter.kind is parameter.VAR_POSITIONAL:
            return tuple([self._read_value(name, each, None) for each in argument])
        if parameter.kind is parameter.VAR_KEYWORD:
            return {key: self._read_value(key, each, None) for key, each in argument.items()}
        return self._read_value(name, argument, parameter.default)

    def _read_value(self, name: str, node: ast.expr, default: Any) -> Any:
        """Read one argument and check it against what is known of its parameter."""
        if name == "cls":
            return self._read_class(node)
        value = self.read(node)
        if value is None and default is None:
            return value
        if name in river_names.CODE_PARAMETERS:
            raise self.mistake(node, f"{name} takes own Python code, which comes in by factory")
        largest = river_names.LARGEST.get(name)
        if largest is not None and isinstance(value, int | float) and value > largest:
            raise self.mistake(node, f"{name} is too large; at most {largest:,} is allowed")
        kind = river_names.kind(name)
        if kind is not None and not isinstance(value, kind):
            expected = river_names.KINDS[name.rpartition("_")[2]]
            raise self.mistake(node, f"found {describe(value)}; {name} takes a River {expected}")
        return value

    def _read_class(self, node: ast.expr) -> type[Any]:
        """Read the argument of utils.Rolling, the one place where River wants a class."""
        if isinstance(node, ast.Call):
            raise self.mistake(node, "a class is wanted here, without (...)")
        found = self._find(node)
        if not (hasattr(found, "update") and hasattr(found, "revert")):
            raise self.mistake(node, f"{found.__name__} cannot be rolled; name one of stats")
        return found

    def _count(
        self,
        node: ast.Call,
        found: type[Any],
        values: Mapping[str, Any],
        parameters: Mapping[str, inspect.Parameter],
    ) -> int:
        """Return how many estimators this call makes, given those in its arguments."""
        from river import base

        if not issubclass(found, base.Estimator):
            return self.copies
        times = 1
        for name in set(river_names.COPIES) & set(parameters):
            value = values.get(name, parameters[name].default)
            times *= max(1, int(value)) if isinstance(value, int | float) else 1
        # A wrapper that takes no number keeps up to three: in use, in the background, as template.
        count = times + self.copies * max(times, 3)
        if count > MAX_COPIES:
            raise self.mistake(
                node, f"makes about {count:,} estimators; at most {MAX_COPIES:,} are allowed"
            )
        return count

    def _run(
        self, node: ast.AST, function: Callable[..., Any], args: Sequence[Any], kwargs: Any
    ) -> Any:
        """Call River, and translate whatever it raises: its constructors raise anything."""
        try:
            return function(*args, **kwargs)
        except Exception as error:
            raise self.mistake(
                node, f"River refused it: {type(error).__name__}: {error}"
            ) from error

    def _find(self, node: ast.expr) -> type[Any]:
        """Return the class of River that a dotted name means."""
        parts = dotted(node)
        if parts is None:
            raise self.mistake(node, "only module.Class of River can be named or called")
        if parts[0] in _TYPES:
            raise self.mistake(node, f"{parts[0]} only names a type; it cannot be called")
        try:
            return river_lookup.find(parts)
        except LookupError as error:
            raise self.mistake(node, str(error)) from error


def _plain(signature: inspect.Signature) -> str:
    return f"({', '.join(signature.parameters)})"
