"""A register whose persons are known, as three systems write them: what linkage is tested on.

Births, names, marriages and moves are drawn; then each system writes them its own way (capitals, accents
lost, one name of two), with its own faults. The truth says who each row is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.worlds.civil_register import (
    Texts,
    civil_register,
    communes,
    drawn,
    without_accents,
)

SYSTEMS: Final = ("caf", "work", "integration")
COLUMNS: Final = (
    *("space", "person_id", "nir", "birth_name", "usage_name", "first_names", "birth_date", "sex"),
    *("birth_commune", "commune", "postcode", "email", "phone"),
)
_KEYBOARD: Final = {
    **dict(zip("azertyuiopqsdfghjklmwxcvbn", "zaretyiupoqdsfhgkjlmxwcvnb", strict=True)),
}
"""A neighbour of each letter on a French keyboard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """Shares of the rows of a system with each fault.

    Parameters
    ----------
    nir_missing, nir_wrong : float
        No NIR; one whose last digits were mistyped, or (one in four of those) a relative's.
    typo : float
        One letter off, in the name or in the first name (each).
    default_date, swapped_date, wrong_date : float
        1 January of the right year; day and month exchanged; one digit off.
    swapped_names : float
        First name where the name should be, and the reverse.
    truncated : float
        Name cut to its first eight letters.
    part_of_name : float
        One part of a compound name or first name.
    moved : float
        Living elsewhere when this system last asked.
    contact : float
        Rows with an e-mail, and rows with a telephone (each).
    changed_contact : float
        Of those, rows where it is another one.
    """

    nir_missing: float = 0.30
    nir_wrong: float = 0.004
    typo: float = 0.03
    default_date: float = 0.012
    swapped_date: float = 0.006
    wrong_date: float = 0.012
    swapped_names: float = 0.004
    truncated: float = 0.003
    part_of_name: float = 0.15
    moved: float = 0.12
    contact: float = 0.35
    changed_contact: float = 0.30


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """Who the systems tell of, and who they really are.

    Parameters
    ----------
    identities : DataFrame
        One row per person of a system: `COLUMNS`, ``person_id`` being ``space:identifier``.
    truth : DataFrame
        ``person_id, person (int)``.
    """

    identities: pd.DataFrame
    truth: pd.DataFrame


def simulate_register(
    persons: int,
    *,
    rng: np.random.Generator,
    faults: Faults | None = None,
    present: Mapping[str, float] | None = None,
) -> Register:
    """Draw persons and what three systems write of them.

    Parameters
    ----------
    persons : int
    rng : numpy Generator
    faults : Faults, optional
    present : mapping of system to float, optional
        Share of the persons each system knows; by default 0.85, 0.75 and 0.35.

    Returns
    -------
    Register
    """
    people = civil_register(persons, rng)
    shares = present or dict(zip(SYSTEMS, (0.85, 0.75, 0.35), strict=True))
    frames = []
    for space, share in shares.items():
        here = np.flatnonzero(rng.random(persons) < share)
        rows = _written(people.iloc[here].reset_index(drop=True), space, faults or Faults(), rng)
        numbers = rng.permutation(len(here)) + 1
        rows["person_id"] = [f"{space}:{number:08d}" for number in numbers]
        rows["person"] = here
        frames.append(rows)
    together = pd.concat(frames, ignore_index=True)
    return Register(
        identities=together[list(COLUMNS)],
        truth=together[["person_id", "person"]],
    )


def _written(
    people: pd.DataFrame, space: str, faults: Faults, rng: np.random.Generator
) -> pd.DataFrame:
    """Rows of one system, faults included."""
    n = len(people)

    def some(share: float) -> NDArray[np.int64]:
        return np.flatnonzero(rng.random(n) < share)

    rows = people.copy()
    rows["space"] = space
    moved = some(faults.moved)
    rows.loc[moved, "commune"] = drawn(communes(), len(moved), rng, slope=0.75)
    _spoil_names(rows, faults, some, rng)
    rows["birth_date"] = _spoilt_dates(people["birth"].to_numpy(), faults, some, rng)
    rows["nir"] = _spoilt_nirs(people["nir"].to_numpy(dtype=object), faults, some, rng)
    _spoil_contacts(rows, faults, some, rng)
    rows["postcode"] = (
        rows["commune"].str[:2].replace({"2A": "20", "2B": "20"}) + "0" + (rows["commune"].str[3:])
    )
    return _in_the_way_of(rows, space, rng)


def _spoil_names(
    rows: pd.DataFrame,
    faults: Faults,
    some: Callable[[float], NDArray[np.int64]],
    rng: np.random.Generator,
) -> None:
    names = {
        c: rows[c].to_numpy(dtype=object, copy=True)
        for c in ("birth_name", "usage_name", "first_names")
    }
    for column, texts in names.items():
        told = [k for k in some(faults.typo) if isinstance(texts[k], str)]
        texts[told] = [_mistyped(texts[k], rng) for k in told]
        for k in some(faults.part_of_name):
            if column != "birth_name" and isinstance(texts[k], str):
                texts[k] = texts[k].replace(" ", "-").split("-")[0]
    cut = some(faults.truncated)
    names["birth_name"][cut] = [str(name)[:8] for name in names["birth_name"][cut]]
    swapped = some(faults.swapped_names)
    first = np.array([str(name).split(" ")[0] for name in names["first_names"]], dtype=object)
    names["birth_name"][swapped], names["first_names"][swapped] = (
        first[swapped],
        names["birth_name"][swapped],
    )
    for column, texts in names.items():
        rows[column] = pd.Series(texts, dtype=object)


def _mistyped(text: str, rng: np.random.Generator) -> str:
    """A letter doubled, dropped, exchanged with the next or with its neighbour on the keyboard."""
    if len(text) < 3:
        return text
    k, kind = int(rng.integers(1, len(text) - 1)), int(rng.integers(4))
    if kind == 0:
        return text[:k] + text[k] + text[k:]
    if kind == 1:
        return text[:k] + text[k + 1 :]
    if kind == 2:
        return text[:k] + text[k + 1] + text[k] + text[k + 2 :]
    return text[:k] + _KEYBOARD.get(text[k].lower(), "e") + text[k + 1 :]


def _spoilt_dates(
    birth: Any,
    faults: Faults,
    some: Callable[[float], NDArray[np.int64]],
    rng: np.random.Generator,
) -> pd.Series[Any]:
    days = pd.Series(pd.to_datetime(birth))
    swapped = some(faults.swapped_date)
    exchange = days.iloc[swapped]
    exchange = exchange[exchange.dt.day <= 12]
    days.loc[exchange.index] = pd.to_datetime(
        {"year": exchange.dt.year, "month": exchange.dt.day, "day": exchange.dt.month}
    )
    wrong = some(faults.wrong_date)
    steps = rng.choice([-10, -1, 1, 10, 365, -366], len(wrong))
    days.iloc[wrong] = days.iloc[wrong] + pd.to_timedelta(steps, unit="D")
    default = some(faults.default_date)
    days.iloc[default] = pd.to_datetime(days.iloc[default].dt.year.astype(str) + "-01-01")
    return days.dt.date


def _spoilt_nirs(
    nirs: Texts,
    faults: Faults,
    some: Callable[[float], NDArray[np.int64]],
    rng: np.random.Generator,
) -> Texts:
    said = nirs.copy()
    wrong = some(faults.nir_wrong)
    said[wrong] = [f"{nir[:10]}{int(rng.integers(1, 999)):03d}{nir[13:]}" for nir in nirs[wrong]]
    relative = wrong[rng.random(len(wrong)) < 0.25]
    said[relative] = nirs[np.maximum(relative - 1, 0)]
    said[some(faults.nir_missing)] = None
    return said


def _spoil_contacts(
    rows: pd.DataFrame,
    faults: Faults,
    some: Callable[[float], NDArray[np.int64]],
    rng: np.random.Generator,
) -> None:
    for column in ("email", "phone"):
        told = rows[column].to_numpy(dtype=object, copy=True)
        other = some(faults.changed_contact)
        drawn = rng.integers(0, 10**8, len(other))
        told[other] = [
            f"contact{number}@example.org" if column == "email" else f"07{number:08d}"
            for number in drawn
        ]
        told[some(1 - faults.contact)] = None
        rows[column] = pd.Series(told, dtype=object)


def _in_the_way_of(rows: pd.DataFrame, space: str, rng: np.random.Generator) -> pd.DataFrame:
    """What each system asks for, and how it writes it."""
    if space == "caf":
        for column in ("birth_name", "usage_name", "first_names"):
            plain = rows[column].map(without_accents, na_action="ignore")
            rows[column] = plain.str.upper()
        rows["birth_commune"] = None
        rows["usage_name"] = rows["usage_name"].fillna(rows["birth_name"])
    elif space == "integration":
        # One name on the form, most often the one in use.
        uses = rows["usage_name"].notna() & (rng.random(len(rows)) < 0.6)
        rows["birth_name"] = rows["birth_name"].where(~uses, rows["usage_name"])
        rows["usage_name"] = None
        rows["first_names"] = rows["first_names"].str.split(" ").str[0]
        rows.loc[rng.random(len(rows)) < 0.5, "birth_commune"] = None
        rows["email"] = None
    return rows
