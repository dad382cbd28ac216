"""A problem of a TOML file in plain words: which key, on which line, and what to write instead."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from types import UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from whatworks.errors import suggestion

Key = str | int
Plain = tuple[str, str, str]
"""``needed, found, remedy``."""

_SHAPES: Final = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "string": "a text in quotes",
    "list": "a list in square brackets",
    "tuple": "a list in square brackets",
    "dict": "a table of keys",
    "model": "a table of keys",
}
_PATTERNS: Final = {
    r"^[a-z][a-z0-9_]*$": "a name of lower-case letters, digits and _ that starts with a letter",
    r"^\d{4}-(0[1-9]|1[0-2])$": "a month written YYYY-MM, such as 2021-01",
    r"^(\d{4}-(0[1-9]|1[0-2])|auto)$": "a month written YYYY-MM, such as 2021-01, or 'auto'",
    r"^\d{4}$": "a year of four digits, such as 2024",
    r"^([a-z][a-z0-9_]*)?$": "a name of lower-case letters, digits and _ that starts with a letter",
    r"^[a-z0-9][a-z0-9-]*$": "a name of lower-case letters, digits and - that starts with a letter"
    " or a digit",
    r"^([a-z]+:)?[a-z][a-z0-9_]*$": "a code such as cdi, or kind:code such as employment:cdi",
}
_CUSTOM: Final = "in_plain_words"
_HEADER: Final = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(#.*)?")
_ASSIGNMENT: Final = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*'|\s*\.\s*)+?)\s*=""")
_PART: Final = re.compile(r"""[\w-]+|"[^"]*"|'[^']*'""")


def misuse(key: str, *, needed: str, found: str, remedy: str) -> PydanticCustomError:
    """Make the error a validator raises about a key of its table, already in plain words."""
    facts = {"key": key, "needed": needed, "found": found, "remedy": remedy}
    return PydanticCustomError(_CUSTOM, "{found}", facts)


def plain_problem(error: ValidationError, text: str, model: type[BaseModel]) -> Plain:
    """Say what was needed, found and is to be done about everything wrong in a TOML file.

    Parameters
    ----------
    error : ValidationError
        What the model said.
    text : str
        The file, to find lines in.
    model : type
        The model, to find the keys that exist.

    Returns
    -------
    tuple of three str
        ``needed, found, remedy``; several problems are listed in ``found``, one a line.
    """
    seen = dict.fromkeys(_explain(details, text, model) for details in error.errors())
    problems = list(seen)
    if len(problems) == 1:
        return problems[0]
    lines = [
        f"\n  ({number}) {found}; needed {needed}; {remedy}"
        for number, (needed, found, remedy) in enumerate(problems, start=1)
    ]
    return (
        "keys and values of the reference",
        f"{len(lines)} problems:{''.join(lines)}\n ",
        ("correct each of them"),
    )


def _explain(details: ErrorDetails, text: str, model: type[BaseModel]) -> Plain:
    """Put one error of pydantic in our words."""
    facts = details.get("ctx", {})
    path: tuple[Key, ...] = tuple(k for k in details["loc"] if k != "[key]")
    if details["type"] == _CUSTOM:
        path = (*path, *str(facts["key"]).split(".")) if facts["key"] else path
        return str(facts["needed"]), f"{facts['found']}{_place(path, text)}", str(facts["remedy"])
    if details["type"] == "extra_forbidden":
        known = _keys_at(model, path[:-1])
        needed = f"one of the keys {', '.join(known)}" if known else "no such key"
        found = f"the unknown key {str(path[-1])!r}{_place(path, text)}"
        return needed, found, suggestion(str(path[-1]), known) or "remove it or use one of those"
    if details["type"] == "missing":
        needed = f"the key {str(path[-1])!r}"
        return needed, f"none{_place(path, text)}", f"add {str(path[-1])!r} there"
    return _wrong_value(details, facts, _place(path, text))


def _wrong_value(details: ErrorDetails, facts: dict[str, Any], place: str) -> Plain:
    """Explain a key that exists with a value that it cannot take."""
    value = details["input"]
    shown = repr(value) if isinstance(value, str | int | float | bool) else "another shape of value"
    found = f"{shown}{place}"
    family = details["type"]
    if family in ("literal_error", "enum"):
        options = re.findall(r"'([^']*)'|\b(\d+)\b", str(facts["expected"]))
        allowed = ["".join(pair) for pair in options]
        remedy = suggestion(str(value), allowed) or "choose one of those"
        return f"one of {', '.join(allowed)}", found, remedy
    if family == "string_pattern_mismatch":
        pattern = str(facts["pattern"])
        return _PATTERNS.get(pattern, f"a text of the form {pattern}"), found, "write it that way"
    if family in ("too_short", "too_long"):
        bound, least = ("min_length", "least") if family == "too_short" else ("max_length", "most")
        needed = f"at {least} {_items(int(facts[bound]))}"
        remedy = "add what is missing" if family == "too_short" else "remove what is too many"
        return needed, f"{_items(int(facts['actual_length']))}{place}", remedy
    stem = re.sub(r"_(type|parsing|from_float)$", "", family)
    if stem in _SHAPES:
        return _SHAPES[stem], found, "write the value in that shape"
    needed = re.sub(r"^[A-Z][a-z]+ should (be |have )?", "", details["msg"])
    return needed[:1].lower() + needed[1:], found, "correct the value"


def _items(count: int) -> str:
    return "an empty list" if count == 0 else f"{count} item" + ("" if count == 1 else "s")


def _place(path: Sequence[Key], text: str) -> str:
    """`` at sources.contracts.end.bound, line 12``, as near as the text lets us be."""
    if not path:
        return ""
    line = line_of(text, path)
    return f" at {'.'.join(map(str, path))}" + (f", line {line}" if line else "")


def line_of(text: str, path: Sequence[Key]) -> int | None:
    r"""Line, from 1, of the deepest part of a dotted key that the text of a TOML file writes out.

    >>> line_of('[a]\nb = 1\n[a.c]\nd = {e = 2}\n', ("a", "c", "d", "e"))
    4
    """
    wanted = tuple(map(str, path))
    best: tuple[int, int | None] = (0, None)
    for line, written in _written_keys(text):
        shared = len(written) if written == wanted[: len(written)] else 0
        if shared > best[0]:
            best = (shared, line)
    return best[1]


def _written_keys(text: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Line and full dotted key of every table header and assignment."""
    table: tuple[str, ...] = ()
    arrays: dict[tuple[str, ...], int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.fullmatch(line):
            table = _parts(header[2])
            if header[1] == "[[":
                arrays[table] = arrays.get(table, -1) + 1
                table = (*table, str(arrays[table]))
            yield number, table
        elif assignment := _ASSIGNMENT.match(line):
            yield number, (*table, *_parts(assignment[1]))


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in _PART.findall(dotted))


def _keys_at(model: type[BaseModel], path: Sequence[Key]) -> list[str]:
    """Keys of the table at a path, empty when it is not a table of known keys."""
    here: Any = model
    for key in path:
        here = _inside(here, key)
    if not (isinstance(here, type) and issubclass(here, BaseModel)):
        return []
    return [field.alias or name for name, field in here.model_fields.items()]


def _inside(annotation: Any, key: Key) -> Any:
    """Annotation of what a table holds under a key."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, field in annotation.model_fields.items():
            if key in (name, field.alias):
                return _bare(field.annotation)
        return None
    arguments = get_args(annotation)
    return _bare(arguments[-1 if get_origin(annotation) is dict else 0]) if arguments else None


def _bare(annotation: Any) -> Any:
    """Strip ``Annotated`` and ``None`` from an annotation."""
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return next(a for a in get_args(annotation) if a is not type(None))
    return annotation
