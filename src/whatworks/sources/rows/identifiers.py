"""Identifiers as a mapping reads them: parts without their padding, joined so that none is confused."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Final

import ibis

from whatworks.sources.mapping.people import Identifier, Padded

_MARK: Final = "|"
_ESCAPE: Final = "\\"
_ZEROS: Final = r"^0+"


def named(prefix: str, columns: Sequence[str]) -> dict[str, str]:
    """Our name and the header of each column of an identifier."""
    return {f"{prefix}{number}": column for number, column in enumerate(columns)}


def bare(text: ibis.Value, identifier: Padded) -> ibis.Value:
    """One part of an identifier without what its producer pads it with."""
    if identifier.strip == "nothing":
        return text
    trimmed = text.strip()
    if identifier.strip == "spaces":
        return trimmed
    return trimmed.re_replace(_ZEROS, "")


def widened(text: ibis.Value, identifier: Padded) -> ibis.Value:
    """One part of an identifier with the zeros that bring it to its width."""
    if identifier.width is None:
        return text
    missing = ibis.greatest(identifier.width - text.length(), 0)
    return ibis.literal("0").repeat(missing) + text


def joined(parts: Sequence[ibis.Value]) -> ibis.Value:
    r"""One text for several parts, a different one for every different sequence of parts.

    Parts are separated by ``|``; inside a part ``\`` and ``|`` are written ``\\`` and ``\|``. A
    single part is itself. Null where a part is.
    """
    if len(parts) == 1:
        return parts[0]
    return reduce(lambda one, other: one + _MARK + other, map(escaped, parts))


def escaped(part: ibis.Value) -> ibis.Value:
    r"""Text in which every ``|`` is written ``\|``."""
    doubled = part.replace(_ESCAPE, _ESCAPE * 2)
    return doubled.replace(_MARK, _ESCAPE + _MARK)


def identifier_of(parts: Sequence[ibis.Value], identifier: Identifier) -> ibis.Value:
    """Text that identifies, of the raw parts, as the mapping says to write it."""
    return joined([widened(bare(part, identifier), identifier) for part in parts])


def is_missing(parts: Sequence[ibis.Value], identifier: Identifier) -> ibis.Value:
    """Whether a part holds nothing: half an identifier identifies nobody."""
    blank = [bare(part, identifier).strip() == "" for part in parts]
    return reduce(lambda one, other: one | other, blank)


def in_space(text: ibis.Value, space: str) -> ibis.Value:
    """Identifier as the product writes it: ``space:identifier``, itself where there is one space."""
    return text if space == "" else ibis.literal(f"{space}:") + text
