"""The grammar of a pipeline: the small part of Python's expressions that may be written.

Nothing here knows River. The text becomes a tree that holds only allowed nodes, is shallow enough
to be walked by recursion, and carries positions for errors.
"""

from __future__ import annotations

import ast
from typing import Final

from stream.errors import PipelineError

MAX_CHARACTERS: Final = 10_000
MAX_NODES: Final = 4_000
MAX_DEPTH: Final = 50
MAX_NUMBER: Final = 1e9

ALLOWED: Final = (
    "allowed are module.Class(...) of River, the operators | + *, numbers, strings, True, False, "
    "None, lists, tuples, sets, dicts, and the names int float str bool"
)

_NODES: Final = (
    ast.Call,
    ast.keyword,
    ast.Attribute,
    ast.Name,
    ast.Load,
    ast.Constant,
    ast.List,
    ast.Tuple,
    ast.Set,
    ast.Dict,
    ast.UnaryOp,
    ast.USub,
    ast.BinOp,
    ast.BitOr,
    ast.Add,
    ast.Mult,
)

_ENGLISH: Final = {
    "Await": "an await",
    "BoolOp": "and/or",
    "Compare": "a comparison",
    "DictComp": "a comprehension",
    "GeneratorExp": "a comprehension",
    "IfExp": "a condition",
    "JoinedStr": "an f-string",
    "Lambda": "a lambda",
    "ListComp": "a comprehension",
    "NamedExpr": "an assignment",
    "SetComp": "a comprehension",
    "Starred": "star arguments",
    "Subscript": "an index",
}


def parse(text: str) -> ast.expr:
    """Parse a pipeline's text into a tree of allowed nodes.

    Parameters
    ----------
    text
        One expression, at most ``MAX_CHARACTERS`` long.

    Returns
    -------
    ast.expr
        The tree: at most ``MAX_NODES`` nodes, ``MAX_DEPTH`` deep, numbers within ``MAX_NUMBER``.

    Raises
    ------
    PipelineError
        The text is too long, too deep, not an expression, or holds something else.

    Examples
    --------
    >>> type(parse("stats.Mean()")).__name__
    'Call'
    """
    if len(text) > MAX_CHARACTERS:
        raise PipelineError(
            f"found {len(text):,} characters; at most {MAX_CHARACTERS:,} are allowed. Longer "
            "pipelines come in by factory"
        )
    if not text.strip():
        raise PipelineError(f"found an empty text; {ALLOWED}")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        lines = "; put parentheses round an expression of several lines" if "\n" in text else ""
        where = _position(text.strip(), error.lineno or 1, (error.offset or 1) - 1)
        raise PipelineError(f"{where}: not an expression: {error.msg}{lines}") from error
    except (ValueError, OverflowError) as error:
        raise PipelineError(f"not an expression: {error}") from error
    except (RecursionError, MemoryError) as error:
        raise PipelineError(_too_deep()) from error
    _check(text.strip(), tree)
    return tree


def canonical(text: str) -> str:
    """Return the normal form of a pipeline's text, the same for any spacing, quotes and comments.

    Parameters
    ----------
    text
        A pipeline. Only its grammar is checked; River's names are not looked up.

    Returns
    -------
    str
        The text that a pipeline's fingerprint is made of.

    Raises
    ------
    PipelineError
        As ``parse``.

    Examples
    --------
    >>> canonical("compose.Select( 'a','b', )|stats.Mean( ) # a comment")
    "compose.Select('a', 'b') | stats.Mean()"
    """
    return ast.unparse(parse(text))


def mistake(text: str, node: ast.AST, message: str) -> PipelineError:
    """Return the error for one node: its position, the piece of text, and the message."""
    text = text.strip()
    line, offset = getattr(node, "lineno", 1), getattr(node, "col_offset", 0)
    # Python counts a node's columns in bytes, people count characters.
    before = text.split("\n")[line - 1].encode()[:offset].decode(errors="ignore")
    piece = " ".join((ast.get_source_segment(text, node) or text).split())
    if len(piece) > 60:
        piece = f"{piece[:57]}..."
    return PipelineError(f"{_position(text, line, len(before))}: {piece!r}: {message}")


def dotted(node: ast.expr) -> list[str] | None:
    """Return the parts of a dotted name, ``None`` for any other expression.

    Examples
    --------
    >>> dotted(parse("optim.losses.Log"))
    ['optim', 'losses', 'Log']
    """
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return [node.id, *reversed(parts)] if isinstance(node, ast.Name) else None


def _position(text: str, line: int, offset: int) -> str:
    return f"line {line}, column {offset + 1}" if "\n" in text else f"column {offset + 1}"


def _too_deep() -> str:
    return f"the text is nested too deeply; at most {MAX_DEPTH} levels are allowed"


def _check(text: str, tree: ast.expr) -> None:
    """Refuse a tree that is too large or holds anything but allowed nodes.

    Walks with a list of its own, because the tree may still be deeper than Python's stack.
    """
    waiting: list[tuple[ast.AST, ast.AST, int]] = [(tree, tree, 1)]
    count = 0
    while waiting:
        node, parent, depth = waiting.pop()
        count += 1
        if depth > MAX_DEPTH:
            raise PipelineError(_too_deep())
        if count > MAX_NODES:
            raise PipelineError(f"the text has too many parts; at most {MAX_NODES:,} are allowed")
        problem = _problem(node)
        if problem is not None:
            # Operators have no position of their own.
            raise mistake(text, node if hasattr(node, "lineno") else parent, problem)
        children = [(child, node, depth + 1) for child in ast.iter_child_nodes(node)]
        waiting.extend(reversed(children))


def _problem(node: ast.AST) -> str | None:
    """Return what is wrong with a node on its own, ``None`` where nothing is."""
    if not isinstance(node, _NODES):
        name = type(node).__name__
        return f"found {_ENGLISH.get(name, name)}; {ALLOWED}"
    match node:
        case ast.keyword(arg=None):
            return f"found star arguments; {ALLOWED}"
        case ast.Dict(keys=keys) if None in keys:
            return f"found ** in a dict; {ALLOWED}"
        case ast.UnaryOp(operand=operand) if not _is_number(operand):
            return "found a minus before something that is not a number"
        case ast.Constant(value=int() | float() as value) if abs(value) > MAX_NUMBER:
            return f"the number is too large; at most {MAX_NUMBER:,.0f} is allowed"
        case ast.Constant(value=value) if not isinstance(value, str | int | float | None):
            return f"found a literal of type {type(value).__name__}; {ALLOWED}"
    return None


def _is_number(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) in (int, float)
