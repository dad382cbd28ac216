"""Options of a comparison or an estimator, held against the types they declare."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, fields
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Any, Final, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from whatworks.errors import OptionError, suggestion

T = TypeVar("T")
NAMES: Final[Mapping[Any, str]] = {
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    NoneType: "nothing",
}


def typed(options: Any) -> None:
    """Hold every field of a frozen dataclass against its annotation; lists become tuples.

    Numbers of numpy are numbers. What is annotated ``Any`` is left to who reads it.

    Parameters
    ----------
    options : dataclass instance

    Raises
    ------
    OptionError
        Naming the option whose value is of another type.
    """
    kinds = get_type_hints(type(options))
    for one in fields(options):
        value, kind = getattr(options, one.name), kinds[one.name]
        if isinstance(value, list) and any(get_origin(part) is tuple for part in _parts(kind)):
            value = _tupled(value)
            object.__setattr__(options, one.name, value)
        if not _is(value, kind):
            raise OptionError(
                what=f"{type(options).__name__}({one.name}=...)",
                needed=_told(kind),
                found=f"{value!r}, {_an(value)}" if _short(value) else _an(value),
                remedy="write the option in that shape",
            )


def from_table(kind: type[T], table: Mapping[str, Any]) -> T:
    """A record of options from the table that a study file holds.

    Raises
    ------
    OptionError
        Naming a key the record does not have, with the nearest it has, or one it needs.
    """
    known = {one.name: one for one in fields(kind)}  # type: ignore[arg-type]  # a dataclass, always
    unknown = [str(key) for key in table if key not in known]
    absent = [name for name, one in known.items() if one.default is MISSING and name not in table]
    if unknown or absent:
        raise OptionError(
            what=kind.__name__,
            needed=f"{absent[0]!r}" if absent else "keys among " + ", ".join(known),
            found=repr(unknown[0]) if unknown else "a table without it",
            remedy=(suggestion(unknown[0], known) if unknown else "") or "correct that key",
        )
    return kind(**table)


def _tupled(value: Any) -> Any:
    return tuple(_tupled(v) for v in value) if isinstance(value, list) else value


def _parts(kind: Any) -> tuple[Any, ...]:
    """Alternatives of a union, or the kind alone."""
    return get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)


def _is(value: Any, kind: Any) -> bool:
    """Whether a value is of a kind; which of a few names it is, is judged by who knows them."""
    return any(_is_one(value, part) for part in _parts(kind))


def _is_one(value: Any, kind: Any) -> bool:
    if get_origin(kind) is tuple:
        item = get_args(kind)[0]
        # One name where a list of them is asked is said as such by who reads the list.
        one_name = isinstance(value, str) and item is str
        return one_name or (isinstance(value, tuple) and all(_is(v, item) for v in value))
    if get_origin(kind) is Literal:
        return type(value) in {type(name) for name in get_args(kind)}
    if kind is Any:
        return True
    if isinstance(value, bool):
        return kind is bool
    if kind is float:
        return isinstance(value, Real) and not math.isnan(value)
    return isinstance(value, Integral if kind is int else kind)


def _told(kind: Any) -> str:
    told = []
    for part in _parts(kind):
        if get_origin(part) is tuple:
            told.append(f"a list, each of it {_told(get_args(part)[0])}")
        elif get_origin(part) is Literal:
            told.append("one of " + ", ".join(str(name) for name in get_args(part)))
        else:
            told.append(NAMES.get(part, getattr(part, "__name__", str(part))))
    return " or ".join(told)


def _an(value: Any) -> str:
    return f"of type {type(value).__name__}"


def _short(value: Any) -> bool:
    return isinstance(value, str | int | float)
