"""An XML file element by element: complete ones are handed over and forgotten at once.

The standard library's parser builds elements in C without calling back for each of them, which is
what makes it as fast as any; elements that are complete are cut off the growing tree after each
piece of the file, so that the tree is never more than a path, one unit and a piece.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from xml.etree.ElementTree import (
    Element,
    ParseError,
    TreeBuilder,
    XMLParser,
)
from xml.parsers import expat

from whatworks.sources.formats.paths import Branch, local

_MOST_HELD: Final = 4 << 20
"""Bytes of the file that one element may span; its tree can take up to a hundred times as much."""
_CUT: Final = (
    expat.errors.XML_ERROR_NO_ELEMENTS,
    expat.errors.XML_ERROR_UNCLOSED_TOKEN,
    expat.errors.XML_ERROR_PARTIAL_CHAR,
    expat.errors.XML_ERROR_UNCLOSED_CDATA_SECTION,
)
_AGAIN: Final = "ask for the file again; if it is not cut, its producer must correct it"


class BrokenXmlError(Exception):
    """A file that is not XML as we take it.

    Parameters
    ----------
    needed, found, remedy : str
        For a `Problem`; quotes nothing of the file.
    """

    def __init__(self, *, needed: str, found: str, remedy: str) -> None:
        super().__init__(found)
        self.needed = needed
        self.found = found
        self.remedy = remedy


Complete = tuple[int | None, Element]
"""A complete element: a part of the header with its slot, or a unit with none."""


def complete(raw: Iterator[bytes], *, unit: str, header: Branch) -> Iterator[Complete]:
    """Hand over the units of a file and the parts of its header, in the order of the file.

    Parameters
    ----------
    raw : iterator of bytes
        The file, in pieces.
    unit : str
        Name of the units, at any depth.
    header : Branch
        From the root to the parts wanted.

    Yields
    ------
    slot : int or None
        Of a part of the header; None for a unit.
    element : Element

    Raises
    ------
    BrokenXmlError
        When the file is not XML, is cut, declares a document type, or has an element too large to
        be held.
    """
    builder = TreeBuilder()
    top = builder.start("", {})
    parser = XMLParser(target=builder)  # noqa: S314 - `_Prolog` refuses what makes it dangerous
    prolog = _Prolog()
    held = 0
    for piece in raw:
        with _in_plain_words():
            prolog.feed(piece)
            parser.feed(piece)
        held += len(piece)
        for above, branch in _growing(top, unit, header):
            for child in above[:-1]:
                yield from _found(child, unit, branch)
            del above[:-1]
            held = 0
        if held > _MOST_HELD:
            raise _too_large(unit)
    with _in_plain_words():
        parser.close()
    for child in top:
        yield from _found(child, unit, header)


@contextmanager
def uncollected() -> Iterator[None]:
    """Spare the garbage collector elements and rows, of which it counts millions: none is a cycle.

    It would go through every object of the process again and again, which takes more than twice
    as long as the parser itself.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _growing(top: Element, unit: str, header: Branch) -> Iterator[tuple[Element, Branch | None]]:
    """Elements still open above a unit or a part, outermost first, that have complete children."""
    above, branch = top, header  # type: tuple[Element, Branch | None]
    while len(above):
        if len(above) > 1:
            yield above, branch
        last = above[-1]
        below = None if branch is None else branch[last.tag]
        if local(last.tag) == unit or isinstance(below, int):
            return
        above, branch = last, below


def _found(element: Element, unit: str, branch: Branch | None) -> Iterator[Complete]:
    """Units and parts at or under a complete element."""
    if local(element.tag) == unit:
        yield None, element
        return
    below = None if branch is None else branch[element.tag]
    if below is None:
        yield from ((None, inner) for inner in element.iter() if local(inner.tag) == unit)
    elif isinstance(below, int):
        yield below, element
    else:
        for child in element:
            yield from _found(child, unit, below)


class _Prolog:
    """Reads what stands before the root with a parser of its own, and refuses a document type.

    Entities are declared there: those that expand without end, and those that read other files.
    """

    def __init__(self) -> None:
        self._parser = expat.ParserCreate()
        self._parser.StartDoctypeDeclHandler = self._refuse
        self._parser.StartElementHandler = self._at_root
        self._over = False

    def feed(self, piece: bytes) -> None:
        """Read on, unless the root has begun."""
        if not self._over:
            self._parser.Parse(piece, False)  # noqa: FBT003 - the C function takes no keyword

    def _at_root(self, *_: object) -> None:
        self._over = True

    def _refuse(self, *_: object) -> None:
        raise BrokenXmlError(
            needed="XML without a document type",
            found=f"a DOCTYPE on line {self._parser.CurrentLineNumber}, which can make a small file"
            " expand without end or read others",
            remedy="ask its producer for the file without it, or remove it and the entities it"
            " declares",
        )


@contextmanager
def _in_plain_words() -> Iterator[None]:
    """Replace an error of the parser, whose text may quote the file, by the line it stands on."""
    try:
        yield
    except ParseError as error:
        raise _broken(error.code, error.position[0]) from None
    except expat.ExpatError as error:
        raise _broken(error.code, error.lineno) from None
    except (LookupError, ValueError):
        raise BrokenXmlError(
            needed="XML in UTF-8, UTF-16, or an encoding of one byte per character",
            found="a declaration of another encoding on line 1",
            remedy="ask for the file in UTF-8",
        ) from None


def _broken(code: int, line: int) -> BrokenXmlError:
    reason = expat.ErrorString(code)
    if reason in _CUT:
        return BrokenXmlError(
            needed="a whole XML file",
            found=f"its end on line {line:,}, before all its elements are closed: it may be cut",
            remedy=_AGAIN,
        )
    return BrokenXmlError(
        needed="well-formed XML", found=f"an error on line {line:,} ({reason})", remedy=_AGAIN
    )


def _too_large(unit: str) -> BrokenXmlError:
    return BrokenXmlError(
        needed=f"elements {unit!r} of at most {_MOST_HELD >> 20} MB, so that one fits in memory",
        found="an element that is larger",
        remedy="name a smaller element in xml.unit; if there is none, the file is damaged",
    )
