"""A register whose persons are known, as three systems write them: what linkage is tested on.

Births, names, marriages and moves are drawn; then each system writes them its own way (capitals, accents
lost, one name of two), with its own faults. The truth says who each row is.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.worlds.french_names import (
    BEFORE_A_HYPHEN,
    ENDINGS,
    MEN,
    ROOTS,
    SURNAMES,
    SURNAMES_IN_PARTS,
    WOMEN,
)

Texts = NDArray[Any]
"""Array of Python strings or None, shape (n,)."""

SYSTEMS: Final = ("caf", "work", "integration")
COLUMNS: Final = (
    *("space", "person_id", "nir", "birth_name", "usage_name", "first_names", "birth_date", "sex"),
    *("birth_commune", "commune", "postcode", "email", "phone"),
)
_KEYBOARD: Final = {
    **dict(zip("azertyuiopqsdfghjklmwxcvbn", "zaretyiupoqdsfhgkjlmxwcvnb", strict=True)),
}
"""A neighbour of each letter on a French keyboard."""
_FIRST_YEAR: Final = 1958
_LAST_YEAR: Final = 2006
_COMMUNES: Final = 600


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
    people = _people(persons, rng)
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


# --- who they are -----------------------------------------------------------------------


def _people(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """One row per person, as a perfect register would write it."""
    twin = _after_somebody(rng.random(n) < 0.015)
    sex = np.where(rng.random(n) < 0.52, "F", "M")
    days = (_LAST_YEAR - _FIRST_YEAR) * 365
    birth = np.datetime64(f"{_FIRST_YEAR}-01-01") + rng.integers(0, days, n)
    surname = _drawn(_surnames(), n, rng, slope=0.82)
    birthplace = _drawn(_communes(), n, rng, slope=0.75)
    commune = np.where(rng.random(n) < 0.4, birthplace, _drawn(_communes(), n, rng, slope=0.75))
    for column in (birth, surname, birthplace, commune):
        column[twin] = column[twin - 1]
    first = np.where(sex == "F", _first_names(WOMEN, n, rng), _first_names(MEN, n, rng)).astype(
        object
    )
    same = twin[(first[twin] == first[twin - 1])]
    first[same] = np.where(sex[same] == "F", "Capucine", "Corentin")
    namesake = _after_somebody(rng.random(n) < 0.004)
    for column in (surname, first, sex):
        column[namesake] = column[namesake - 1]
    usage = _usage_names(surname, sex, birth, rng)
    return pd.DataFrame(
        {
            "sex": sex,
            "birth": birth,
            "birth_name": surname,
            "usage_name": usage,
            "first_names": _several(first, sex, rng),
            "birth_commune": birthplace,
            "commune": commune,
            "nir": _nirs(sex, birth, birthplace, rng),
            "email": _emails(first, surname, rng),
            "phone": [f"06{number:08d}" for number in rng.integers(0, 10**8, n)],
        }
    )


def _after_somebody(chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Positions chosen, none the first and none just after another."""
    chosen = chosen.copy()
    chosen[0] = False
    chosen[1:] &= ~chosen[:-1]
    return np.flatnonzero(chosen)


def _surnames() -> Texts:
    """Common names, then rarer and rarer ones."""
    made = [root + ending for ending in ENDINGS for root in ROOTS]
    return np.array([*SURNAMES, *SURNAMES_IN_PARTS, *made], dtype=object)


def _communes() -> Texts:
    """Codes of communes, spread over départements, Corsica among them."""
    departements = ["59", "62", "08", "74", "13", "31", "33", "2A", "2B", "75", "93", "97"]
    return np.array(
        [f"{departements[k % 12]}{1 + k // 12 * 7 % 900:03d}" for k in range(_COMMUNES)],
        dtype=object,
    )


def _drawn(values: Texts, n: int, rng: np.random.Generator, *, slope: float) -> Texts:
    """Values drawn with frequencies that fall as a power of their rank."""
    weights = (np.arange(len(values)) + 3.0) ** -slope
    drawn: Texts = values[rng.choice(len(values), size=n, p=weights / weights.sum())]
    return drawn


def _first_names(names: tuple[str, ...], n: int, rng: np.random.Generator) -> Texts:
    plain = _drawn(np.array(names, dtype=object), n, rng, slope=0.5)
    compound = np.flatnonzero(rng.random(n) < 0.06)
    before = rng.choice(np.array(BEFORE_A_HYPHEN, dtype=object), len(compound))
    plain[compound] = [
        f"{a}-{b}" if a != b else b for a, b in zip(before, plain[compound], strict=True)
    ]
    return plain


def _several(first: Texts, sex: Texts, rng: np.random.Generator) -> Texts:
    """Half of the persons with a second first name."""
    second = np.where(
        sex == "F",
        _drawn(np.array(WOMEN, dtype=object), len(first), rng, slope=0.8),
        _drawn(np.array(MEN, dtype=object), len(first), rng, slope=0.8),
    )
    return np.where(rng.random(len(first)) < 0.5, first + " " + second, first).astype(object)


def _usage_names(surname: Texts, sex: Texts, birth: Any, rng: np.random.Generator) -> Texts:
    """Name of a spouse, alone or after one's own; None for those who use their own."""
    n = len(surname)
    spouse = _drawn(_surnames(), n, rng, slope=0.82)
    adult = birth < np.datetime64("1998-01-01")
    married = (sex == "F") & adult & (rng.random(n) < 0.45)
    both = married & (rng.random(n) < 0.2)
    usage = np.full(n, None, dtype=object)
    usage[married] = spouse[married]
    usage[both] = surname[both] + "-" + spouse[both]
    return usage


def _nirs(sex: Texts, birth: Any, place: Texts, rng: np.random.Generator) -> Texts:
    """A NIR each, with its key; a twin may have the next order, as any neighbour."""
    years = birth.astype("datetime64[Y]").astype(int) % 100 + 70
    months = birth.astype("datetime64[M]").astype(int) % 12 + 1
    orders = rng.permutation(len(sex)) % 998 + 1
    numbers = [
        f"{1 if s == 'M' else 2}{year % 100:02d}{month:02d}{commune}{order:03d}"
        for s, year, month, commune, order in zip(sex, years, months, place, orders, strict=True)
    ]
    return np.array([number + key_of(number) for number in numbers], dtype=object)


def key_of(number: str) -> str:
    """Two digits that follow the thirteen of a NIR.

    >>> key_of("2550814168025")
    '38'
    """
    return f"{97 - int(number.replace('2A', '19').replace('2B', '18')) % 97:02d}"


def _emails(first: Texts, surname: Texts, rng: np.random.Generator) -> Texts:
    numbers = rng.integers(1, 9999, len(first))
    return np.array(
        [
            f"{_bare(a)}.{_bare(b)}{number}@example.org"
            for a, b, number in zip(first, surname, numbers, strict=True)
        ],
        dtype=object,
    )


def _bare(name: str) -> str:
    plain = unicodedata.normalize("NFD", name.lower())
    return "".join(c for c in plain if c.isascii() and c.isalpha())


# --- how a system writes them -----------------------------------------------------------


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
    rows.loc[moved, "commune"] = _drawn(_communes(), len(moved), rng, slope=0.75)
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
            plain = rows[column].map(_without_accents, na_action="ignore")
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


def _without_accents(text: str) -> str:
    plain = unicodedata.normalize("NFD", text.replace("œ", "oe"))
    return "".join(c for c in plain if not unicodedata.combining(c)).replace("-", " ")
