"""Who is drawn: the assignment of an experiment, its folder, its audit trail, and those who arrive late."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.design.looking.seal import today
from whatworks.errors import DesignRefused, OptionError, choice, expect
from whatworks.planning.drawing import Rules, draw_late, draw_persons, draw_shares
from whatworks.planning.folder import read_folder, write_folder
from whatworks.planning.inputs import Named, read_named
from whatworks.planning.keyed import ALGORITHM, commitment, fresh_seed
from whatworks.planning.similar import strata_of_likes
from whatworks.planning.trial import Trial
from whatworks.stats.planning.balance import drawn_balance
from whatworks.vocabulary import MARKET, PERSON, SATURATION, STRATUM, TREATED

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ELIGIBLE_PERSONS: Final = "eligible"
PRODUCER: Final = "whatworks"
DRAW: Final = 1
"""Version of the rules of the draw: what they make of a seed never changes under one number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """What was drawn, and how.

    Parameters
    ----------
    markets : DataFrame
        ``market, stratum, saturation``, in order of their names, with ``eligible`` and ``treated``, how
        many of the persons given are there and were assigned.
    persons : DataFrame or None
        ``person_id, market, stratum, saturation, treated`` (0 or 1), in order of their names: what
        ``Design.from_cross_section`` reads once outcomes are known.
    seed : str
        Keep it from whoever sends people to the programme as long as others may arrive.
    audit : mapping
        Everything needed to replay the draw but the seed and the persons, of which it holds SHA-256 only.
    """

    markets: pd.DataFrame
    persons: pd.DataFrame | None
    seed: str
    audit: Mapping[str, Any]

    def balance(self) -> pd.DataFrame:
        """What was known before the draw by what was drawn, with the errors of the design.

        Returns
        -------
        DataFrame
            ``level`` (of markets, or of persons within their market), ``trait``, ``drawn`` (the share,
            any share, or being assigned), ``slope, std_error, p_value``.
        """
        return pd.DataFrame(self.audit["balance"])

    def save(self, folder: str | Path, *, table: Literal["csv", "parquet"] = "csv") -> Path:
        """Write the assignment into a new folder, whole or not at all.

        Parameters
        ----------
        folder : path
            Must not exist, or be empty: an assignment is never written over.
        table : str
            Format of the file of persons.

        Returns
        -------
        Path
            Of the folder: ``markets.csv``, ``persons.csv`` or ``persons.parquet``, ``seed.txt`` and
            ``audit.json``.

        Raises
        ------
        OptionError
            When something stands there, or the place cannot be written.
        """
        choice(table, ("csv", "parquet"), what="table")
        return write_folder(
            folder,
            markets=self.markets,
            persons=self.persons,
            seed=self.seed,
            audit=self.audit,
            parquet=table == "parquet",
        )


def assign(
    markets: pd.DataFrame,
    persons: pd.DataFrame | None = None,
    *,
    trial: Trial,
    rules: Rules | None = None,
    seed: str | int | None = None,
    check: Sequence[str] = (),
    date: str | None = None,
) -> Assignment:
    """Draw shares among markets of a stratum, then persons within each market.

    Parameters
    ----------
    markets : DataFrame
        A row per market.
    persons : DataFrame, optional
        A row per eligible person known today; those who come later: `late_arrivals`.
    trial : Trial
        Shares, and markets of each stratum at each.
    rules : Rules, optional
        Names of columns, and what markets of a stratum have in common.
    seed : str or int, optional
        By default one that the system draws and nobody could guess. Drawn in public, it proves that no
        other was tried.
    check : sequence of str
        Columns of persons, numbers known before the draw, whose balance is told in the audit.
    date : str, optional
        ``YYYY-MM-DD``; by default today's, UTC.

    Returns
    -------
    Assignment
        The same whatever the order of rows.

    Raises
    ------
    OptionError
        When a column is missing, a market or a person is there twice, or persons are in markets that the
        table of markets does not hold.
    """
    expect(trial, Trial, what="trial", remedy="write for instance Trial(shares=(0, 0.5))")
    rules = rules or Rules()
    told = fresh_seed() if seed is None else str(seed)
    places = read_named(
        markets, rules.market, what="markets", numbers=rules.similar_on, labels=rules.within
    )
    if len(places.names) < len(trial.shares):
        raise OptionError(
            what="markets",
            needed=f"{len(trial.shares)} or more, one for each share",
            found=f"{len(places.names)}",
            remedy="bring more markets, or draw fewer shares",
        )
    stratum = _strata(places, trial, rules)
    share = draw_shares(places.names, stratum, trial=trial, seed=told)
    people = None
    if persons is not None:
        people = read_named(
            persons, rules.person, what="persons", numbers=check, labels=(rules.market,)
        )
    drawn = _drawn(places, stratum, share, people, rules=rules, seed=told)
    audit = {
        "producer": PRODUCER,
        "version": version(PRODUCER),
        "kind": "assignment",
        "draw": DRAW,
        "algorithm": ALGORITHM,
        "date": today() if date is None else date,
        "seed_sha256": commitment(told),
        "trial": asdict(trial),
        "rules": asdict(rules),
        "check": list(check),
        "inputs": _inputs(places, people),
        "counts": _counts(drawn),
        "balance": _balance(places, stratum, share, people, drawn[1]),
    }
    return Assignment(markets=drawn[0], persons=drawn[1], seed=told, audit=_signed(audit))


def late_arrivals(
    folder: str | Path, persons: pd.DataFrame, *, date: str | None = None
) -> Assignment:
    """Assign those who arrived after the draw, by the rule: their own number below their market's share.

    Parameters
    ----------
    folder : path
        Of the assignment, with its seed.
    persons : DataFrame
        Columns of the same names; only those who arrived late.
    date : str, optional
        ``YYYY-MM-DD``; by default today's, UTC.

    Raises
    ------
    OptionError
        When the folder cannot be read, or persons are in no market of the draw.
    DesignRefused
        When some were in the draw already: nobody is drawn twice.
    """
    former = read_folder(folder)
    rules = Rules(**former.options("rules"))
    people = read_named(persons, rules.person, what="persons", labels=(rules.market,))
    known = set() if former.persons is None else set(former.persons[PERSON])
    again = len(known.intersection(people.names))
    if again:
        raise DesignRefused(
            what="late arrivals",
            needed="persons who were not in the draw",
            found=f"{again} who were",
            remedy="keep those who arrived since",
        )
    drawn = late_drawn(former.markets, people, rules=rules, seed=former.seed)
    audit = {
        "producer": PRODUCER,
        "version": version(PRODUCER),
        "kind": "late_arrivals",
        "draw": DRAW,
        "algorithm": ALGORITHM,
        "date": today() if date is None else date,
        "seed_sha256": commitment(former.seed),
        "late_to": former.audit["digest"],
        "rules": asdict(rules),
        "inputs": {"persons": {"rows": len(people.names), "sha256": people.digest()}},
        "shares_sha256": shares_digest(former.markets),
        "counts": _counts(drawn),
        "balance": [],
    }
    return Assignment(markets=drawn[0], persons=drawn[1], seed=former.seed, audit=_signed(audit))


def late_drawn(
    markets: pd.DataFrame, people: Named, *, rules: Rules, seed: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Markets, with counts of those who arrived late, and their assignment."""
    place = _places(people, tuple(markets[MARKET]), rules)
    share = markets[SATURATION].to_numpy(dtype=float)
    treated = draw_late(people.names, share[place], seed=seed)
    return _tables(tuple(markets[MARKET]), tuple(markets[STRATUM]), share, people, place, treated)


def shares_digest(markets: pd.DataFrame) -> str:
    """SHA-256 of the stratum and share of each market."""
    rows = markets[[MARKET, STRATUM, SATURATION]].to_numpy(dtype=object).tolist()
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def digest_of(audit: Mapping[str, Any]) -> str:
    """SHA-256 of an audit trail, its own digest apart."""
    told = {key: value for key, value in audit.items() if key != "digest"}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _signed(audit: dict[str, Any]) -> Mapping[str, Any]:
    plain = json.loads(json.dumps(audit))  # as it will be read back: lists for tuples
    return {**plain, "digest": digest_of(plain)}


def _strata(places: Named, trial: Trial, rules: Rules) -> Ints:
    traits = np.array([places.numbers[c] for c in rules.similar_on]).reshape(
        len(rules.similar_on), len(places.names)
    )
    told = ["\x1e".join(row) for row in zip(*(places.labels[c] for c in rules.within), strict=True)]
    exact = np.unique(told or [""] * len(places.names), return_inverse=True)[1]
    return strata_of_likes(traits.T, exact.astype(np.int64), size=trial.stratum_size)


def _places(people: Named, names: tuple[str, ...], rules: Rules) -> Ints:
    """Number of the market of each person."""
    at = {name: k for k, name in enumerate(names)}
    place = np.array([at.get(m, -1) for m in people.labels[rules.market]], dtype=np.int64)
    lost = int((place < 0).sum())
    if lost:
        raise OptionError(
            what="persons",
            needed="markets that are in the table of markets",
            found=f"{lost} of {place.size} persons in others",
            remedy="complete the table of markets, or drop those persons and say so",
        )
    return place


def _drawn(
    places: Named,
    stratum: Ints,
    share: Floats,
    people: Named | None,
    *,
    rules: Rules,
    seed: str,
) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    labels = tuple(f"s{s + 1:04d}" for s in stratum)
    if people is None:
        return pd.DataFrame({MARKET: places.names, STRATUM: labels, SATURATION: share}), None
    place = _places(people, places.names, rules)
    treated = draw_persons(
        people.names, place, names=places.names, share=share, rules=rules, seed=seed
    )
    return _tables(places.names, labels, share, people, place, treated)


def _tables(
    names: tuple[str, ...],
    labels: tuple[str, ...],
    share: Floats,
    people: Named,
    place: Ints,
    treated: NDArray[np.bool_],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    markets = pd.DataFrame(
        {
            MARKET: names,
            STRATUM: labels,
            SATURATION: share,
            ELIGIBLE_PERSONS: np.bincount(place, minlength=len(names)),
            TREATED: np.bincount(place[treated], minlength=len(names)),
        }
    )
    persons = pd.DataFrame(
        {
            PERSON: people.names,
            MARKET: np.array(names, dtype=object)[place],
            STRATUM: np.array(labels, dtype=object)[place],
            SATURATION: share[place],
            TREATED: treated.astype(np.int64),
        }
    )
    return markets, persons


def _inputs(places: Named, people: Named | None) -> dict[str, Any]:
    told = {"markets": {"rows": len(places.names), "sha256": places.digest()}}
    if people is not None:
        told["persons"] = {"rows": len(people.names), "sha256": people.digest()}
    return told


def _counts(drawn: tuple[pd.DataFrame, pd.DataFrame | None]) -> list[dict[str, Any]]:
    """Markets and persons by share, as designed and as drawn."""
    markets, persons = drawn
    rows = []
    for share in np.unique(markets[SATURATION].to_numpy(dtype=float)).tolist():
        here = markets[markets[SATURATION] == share]
        row: dict[str, Any] = {SATURATION: share, "markets": len(here)}
        if persons is not None:
            row["eligible"] = int(here[ELIGIBLE_PERSONS].sum())
            row["assigned"] = int(here[TREATED].sum())
        rows.append(row)
    return rows


def _balance(
    places: Named, stratum: Ints, share: Floats, people: Named | None, persons: pd.DataFrame | None
) -> list[dict[str, Any]]:
    """Traits of markets by share, and of persons by assignment within their market."""
    rows = []
    for trait, values in places.numbers.items():
        for drawn, what in ((share, "share"), ((share > 0).astype(float), "any")):
            rows.append(_told("market", trait, what, values, drawn, stratum))
    if people is not None and persons is not None:
        place = np.unique(persons[MARKET], return_inverse=True)[1].astype(np.int64)
        arm = persons[TREATED].to_numpy(dtype=float)
        for trait, values in people.numbers.items():
            rows.append(_told("person", trait, "assigned", values, arm, place))
    return rows


def _told(
    level: str, trait: str, what: str, values: Floats, drawn: Floats, block: Ints
) -> dict[str, Any]:
    found = drawn_balance(values, drawn, block)
    numbers = {k: None if np.isnan(v) else v for k, v in asdict(found).items()}
    return {"level": level, "trait": trait, "drawn": what, **numbers}
