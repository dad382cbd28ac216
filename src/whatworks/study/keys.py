"""Tables of a study file whose keys are the arguments of a function, or the fields of a record.

The function says what it takes and of which type; here nothing is said again.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from pydantic import Field, create_model

from whatworks.sources.mapping.strict import Strict


class Taken(Strict):
    """A table that holds arguments."""

    def taken(self) -> dict[str, Any]:
        """What the file says of them, by name of argument."""
        return {name: getattr(self, name) for name in self.model_fields_set}


def keys_of(
    taker: Callable[..., Any],
    *,
    base: type[Strict] = Taken,
    but: Mapping[str, Any] | None = None,
) -> type[Any]:
    """A table whose keys are the keyword arguments of ``taker``, besides those of ``base``.

    Parameters
    ----------
    taker : function or record
    base : type
    but : mapping, optional
        Arguments written otherwise in a file: their type and default as pydantic takes them. None for
        those that the walk itself gives.

    Examples
    --------
    >>> def count(table, *, of: str, least: int = 5): ...
    >>> keys_of(count)(of="seekers").taken()
    {'of': 'seekers'}
    """
    kinds = get_type_hints(taker)
    otherwise = dict(but or {})
    keys: dict[str, Any] = {}
    for name, argument in inspect.signature(taker).parameters.items():
        if argument.kind is not argument.KEYWORD_ONLY and name not in otherwise:
            continue
        required = argument.default is argument.empty
        keys[name] = (_said_as(kinds[name]), ... if required else argument.default)
    keys.update({name: told for name, told in otherwise.items() if told is not None})
    for name in (name for name, told in otherwise.items() if told is None):
        keys.pop(name, None)
    made: type[Any] = create_model(f"{taker.__name__}_keys", __base__=base, **keys)
    return made


def _said_as(kind: Any) -> Any:
    """A type as files write it: a quoted number is no number, a list is any sequence."""
    parts = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    plain = {str, bool, int, float, NoneType}
    return Annotated[kind, Field(strict=True)] if {*parts} <= plain else kind
