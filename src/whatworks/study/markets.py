"""What a study file says of labour markets, and the design with its markets.

``[markets]`` takes what `whatworks.expose` takes; its tables ``table``, ``distance``, ``commuting``,
``skills`` and ``links`` take a file of text and what `whatworks.with_markets` and the makers of
`whatworks.Competition` take of its columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias

import pandas as pd
from pydantic import Field, model_validator

from whatworks.design.markets.attach import competing, with_markets
from whatworks.design.markets.competition import BETWEEN, Competition
from whatworks.design.markets.expose import expose
from whatworks.design.record import Design
from whatworks.errors import StudyError, WhatworksError, suggestion
from whatworks.panel import Panel
from whatworks.sources.mapping.states import Decimal
from whatworks.sources.mapping.strict import Delimited
from whatworks.sources.toml_problems import misuse
from whatworks.study.keys import Taken, keys_of
from whatworks.vocabulary import MARKET, MONTH

Names = str | Annotated[tuple[str, ...], Field(min_length=1)]


class MarketFile(Delimited):
    """A file of text about markets, and the columns that are read of it."""

    decimal: Decimal = "."
    """Decimal mark of numbers."""

    def taken(self) -> dict[str, Any]:
        """What the file says of columns, by name of argument."""
        of_text = {*MarketFile.model_fields}
        return {name: getattr(self, name) for name in self.model_fields_set - of_text}


if TYPE_CHECKING:  # a type checker reads classes, not what makes them
    _Exposed: TypeAlias = Taken
    TableText: TypeAlias = MarketFile
    DistanceText: TypeAlias = MarketFile
    CommutingText: TypeAlias = MarketFile
    SkillsText: TypeAlias = MarketFile
    LinksText: TypeAlias = MarketFile
else:
    _Exposed = keys_of(expose, but={"markets": None})
    TableText = keys_of(with_markets, base=MarketFile, but={"market": (Names, ...)})
    DistanceText = keys_of(Competition.by_distance, base=MarketFile)
    CommutingText = keys_of(Competition.by_commuting, base=MarketFile)
    SkillsText = keys_of(Competition.by_skills, base=MarketFile)
    LinksText = keys_of(Competition.by_links, base=MarketFile)

COMPETITION: Final[Mapping[str, Callable[..., Competition]]] = {
    "distance": Competition.by_distance,
    "commuting": Competition.by_commuting,
    "links": Competition.by_links,
    "skills": Competition.by_skills,
}
_NAMES: Final = frozenset({MARKET, MONTH, "home", "work", "other", "skill"})
"""Keys whose columns hold names, never read as numbers: codes begin with zeros."""
_NOT_COLUMNS: Final = frozenset(
    {"tightness_before", "hired_across", "shares_from", "scale", "cut", "kernel", "least", "source"}
)
"""Keys of tables that are no column of their file."""


class MarketsText(_Exposed):
    """Where units compete for jobs; keys are those of `whatworks.expose`, then tables of files."""

    by: tuple[str, ...] = ()
    """What makes a market, crossed: ``markets`` of `whatworks.expose`."""
    table: TableText | None = None
    """What is known of markets besides: file and columns, as `whatworks.with_markets` takes them."""
    distance: DistanceText | None = None
    """Who competes across borders, by distance (`whatworks.Competition.by_distance`)."""
    commuting: CommutingText | None = None
    links: LinksText | None = None
    skills: SkillsText | None = None
    """Of occupations, where another one is of places: markets are then made of both."""

    @model_validator(mode="after")
    def _one_competition_of_places(self) -> MarketsText:
        if len(self.places) > 1:
            raise misuse(
                self.places[1],
                needed="one way at most to say which places compete",
                found=f"{self.places[0]!r} and {self.places[1]!r}",
                remedy="remove one of the two",
            )
        if not self.by and self.counted:
            raise misuse(
                next(iter(self.counted)),
                needed="'by' beside it: what makes a market",
                found=f"{next(iter(self.counted))!r} alone",
                remedy="write for instance by = ['zone']",
            )
        return self

    @property
    def places(self) -> tuple[str, ...]:
        """Tables that say which places compete."""
        named = ("distance", "commuting", "links")
        return tuple(name for name in named if getattr(self, name) is not None)

    @property
    def counted(self) -> dict[str, Any]:
        """Arguments of `whatworks.expose` that the file gives, but what makes a market."""
        of_expose = self.model_fields_set & set(_Exposed.model_fields)
        return {name: getattr(self, name) for name in sorted(of_expose)}


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownMarkets:
    """What files say of markets, read once for all questions.

    Parameters
    ----------
    asked : MarketsText
    table : DataFrame or None
    places, occupations : Competition or None
        Where both are given, markets are made of a place and an occupation.
    files : tuple of Path
    """

    asked: MarketsText
    table: pd.DataFrame | None
    places: Competition | None
    occupations: Competition | None
    files: tuple[Path, ...]

    def of(self, design: Design, panel: Panel) -> Design:
        """The design with its markets.

        Raises
        ------
        OptionError, DesignRefused
            As `whatworks.expose`, `whatworks.with_markets` and `whatworks.competing`, naming the table.
        """
        asked = self.asked
        if asked.by:
            with _named("markets"):
                design = expose(design, panel, markets=asked.by, **asked.counted)
        if asked.table is not None and self.table is not None:
            with _named("markets.table"):
                told = {**asked.table.taken(), MARKET: MARKET}
                design = with_markets(design, self.table, **told)
        with _named("markets"):
            return self._competing(design)

    def _competing(self, design: Design) -> Design:
        if self.places is None or self.occupations is None:
            one = self.places or self.occupations
            return design if one is None else competing(design, one)
        known = design.units if design.markets is None else design.markets.table
        there = sorted({str(name) for name in known[MARKET]})
        return competing(design, self.places.across(self.occupations, only=there))


def known_markets(asked: MarketsText, folder: Path) -> KnownMarkets:
    """Read the files that ``[markets]`` names.

    Parameters
    ----------
    asked : MarketsText
    folder : Path
        That of the study file.

    Raises
    ------
    StudyError
        For a file that is not there or cannot be read, or a column it lacks.
    OptionError
        For what cannot be in a table of markets.
    """
    found: dict[str, Competition] = {}
    files: list[Path] = []
    for name, make in COMPETITION.items():
        text: MarketFile | None = getattr(asked, name)
        if text is not None:
            table, paths = _read(text, folder, what=f"markets.{name}")
            with _named(f"markets.{name}"):
                found[name] = make(table, **{**text.taken(), **_one_column(text)})
            files += paths
    known: pd.DataFrame | None = None
    if asked.table is not None:
        known, paths = _read(asked.table, folder, what="markets.table")
        files += paths
    occupations = found.pop("skills", None)
    places = next(iter(found.values()), None)
    return KnownMarkets(
        asked=asked, table=known, places=places, occupations=occupations, files=tuple(files)
    )


def _one_column(text: MarketFile) -> dict[str, str]:
    """The name of a market is read into a column of ours, for it may be made of several."""
    return {MARKET: MARKET} if MARKET in text.taken() else {}


def _read(text: MarketFile, folder: Path, *, what: str) -> tuple[pd.DataFrame, list[Path]]:
    """Rows of the files, names as texts and numbers as numbers; ``market`` is the name of each."""
    paths = sorted(folder.glob(text.files))
    if not paths:
        raise StudyError(
            what=f"{what}.files",
            needed="a file beside the study file",
            found=f"none for {text.files!r}",
            remedy="check the name and the folder",
        )
    told = text.taken()
    named = {c for key in _NAMES & set(told) for c in _columns(told[key])}
    rows = pd.concat([_rows(text, path, what=what) for path in paths], ignore_index=True)
    _there(rows, told, what=what)
    for column in rows.columns.difference(sorted(named)):
        rows[column] = _number(rows[column], text.decimal)
    if MARKET in told:
        rows[MARKET] = rows[list(_columns(told[MARKET]))].agg(BETWEEN.join, axis=1)
    return rows, paths


def _rows(text: MarketFile, path: Path, *, what: str) -> pd.DataFrame:
    try:
        return pd.read_csv(
            path,
            sep=text.separator,
            quotechar=text.quote,
            encoding=text.encoding,
            dtype=str,
            keep_default_na=False,
            na_values=[""],
        )
    except (OSError, ValueError) as error:  # of the encoding and of the parser too
        raise StudyError(
            what=f"{what}, {path.name}",
            needed=f"a file of text in {text.encoding}, fields separated by {text.separator!r}",
            found=type(error).__name__,
            remedy="correct the file, or say its encoding and its separator",
        ) from None


def _there(rows: pd.DataFrame, told: dict[str, Any], *, what: str) -> None:
    """Refuse a column that the file does not have, before anything else is read."""
    for key, value in told.items():
        if key in _NOT_COLUMNS:
            continue
        for column in _columns(value):
            if column not in rows.columns:
                raise StudyError(
                    what=f"{what}.{key}",
                    needed="a column among " + ", ".join(map(str, rows.columns)),
                    found=repr(column),
                    remedy=suggestion(column, rows.columns) or "write one of those",
                )


def _columns(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _number(column: pd.Series, decimal: str) -> pd.Series:
    """Numbers, where all that is written is one; else the column as it is."""
    try:
        return pd.to_numeric(column.str.replace(decimal, ".", regex=False))
    except ValueError:
        return column


@contextmanager
def _named(table: str) -> Iterator[None]:
    """Say of what table of the file an error is."""
    try:
        yield
    except WhatworksError as error:
        error.what = f"{table}: {error.what}"
        raise
