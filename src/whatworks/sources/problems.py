"""What is wrong with raw files, gathered so that one reading shows everything to correct."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb

from whatworks.errors import SourceRefused


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing a raw file must not have; the fields are those of `WhatworksError`."""

    what: str
    needed: str
    found: str
    remedy: str


def refusal(problems: Sequence[Problem]) -> SourceRefused:
    """One error that tells every problem."""
    if len(problems) == 1:
        (one,) = problems
        return SourceRefused(what=one.what, needed=one.needed, found=one.found, remedy=one.remedy)
    lines = [
        f"\n  ({number}) {p.what}: needed {p.needed}; found {p.found}. To do: {p.remedy}."
        for number, p in enumerate(problems, start=1)
    ]
    return SourceRefused(
        what="the raw files",
        needed="files as the mapping describes them",
        found=f"{len(problems)} problems:{''.join(lines)}\n ",
        remedy="correct each of them in the mapping or ask the producer for the file again",
    )


class ProblemsError(Exception):
    """Problems on their way to `read`, which tells those of all sources in one refusal."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(f"{len(problems)} problems")
        self.problems = tuple(problems)


def refuse_if(problems: Sequence[Problem]) -> None:
    """Raise when there is a problem."""
    if problems:
        raise ProblemsError(problems)


@contextmanager
def refusing() -> Iterator[None]:
    """Tell problems as the one refusal that the caller of a verb sees, and nothing behind it.

    What an error followed from stays with it (``__context__``), frames and rows included, for any
    tool that writes whole tracebacks: it is cut off here.
    """
    try:
        yield
    except ProblemsError as error:
        told = refusal(error.problems)
        try:
            raise told from None
        finally:
            told.__context__ = None


@contextmanager
def reworded(what: str) -> Iterator[None]:
    """Replace an error of the engine, whose text may quote a row, by one that quotes nothing."""
    try:
        yield
    except duckdb.OutOfMemoryException:
        problem = Problem(
            what=what,
            needed="more memory or more temporary disk than the engine may take",
            found="the limit reached",
            remedy="raise memory_limit of the connection or free space in its directory",
        )
        raise ProblemsError([problem]) from None
    except duckdb.Error as error:
        problem = Problem(
            what=what,
            needed="rows the engine can read",
            found=f"an error of the engine ({type(error).__name__}), its text withheld because it"
            " can quote rows",
            remedy="check separator, quote and encoding in the mapping, or ask for the file again",
        )
        raise ProblemsError([problem]) from None


def counted(count: int, noun: str) -> str:
    """``1 row``, ``2,000 rows``.

    >>> counted(1, "row"), counted(2000, "row")
    ('1 row', '2,000 rows')
    """
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


class UnfitHeaderError(Exception):
    """A header in which a layout does not find its columns; the file's name is added later."""

    def __init__(self, *, needed: str, found: str, remedy: str) -> None:
        super().__init__(found)
        self.needed = needed
        self.found = found
        self.remedy = remedy
