"""Who the persons of a simulated register are: births, names, marriages, moves, numbers."""

from __future__ import annotations

import unicodedata
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

_FIRST_YEAR: Final = 1958
_LAST_YEAR: Final = 2006
_COMMUNES: Final = 600


def civil_register(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """One row per person, as a perfect register would write it."""
    twin = _after_somebody(rng.random(n) < 0.015)
    sex = np.where(rng.random(n) < 0.52, "F", "M")
    days = (_LAST_YEAR - _FIRST_YEAR) * 365
    birth = np.datetime64(f"{_FIRST_YEAR}-01-01") + rng.integers(0, days, n)
    surname = drawn(_surnames(), n, rng, slope=0.82)
    birthplace = drawn(communes(), n, rng, slope=0.75)
    commune = np.where(rng.random(n) < 0.4, birthplace, drawn(communes(), n, rng, slope=0.75))
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
            "nir": nirs(sex, birth, birthplace, rng),
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


def communes() -> Texts:
    """Codes of communes, spread over départements, Corsica among them."""
    departements = ["59", "62", "08", "74", "13", "31", "33", "2A", "2B", "75", "93", "97"]
    return np.array(
        [f"{departements[k % 12]}{1 + k // 12 * 7 % 900:03d}" for k in range(_COMMUNES)],
        dtype=object,
    )


def drawn(values: Texts, n: int, rng: np.random.Generator, *, slope: float) -> Texts:
    """Values drawn with frequencies that fall as a power of their rank."""
    weights = (np.arange(len(values)) + 3.0) ** -slope
    drawn: Texts = values[rng.choice(len(values), size=n, p=weights / weights.sum())]
    return drawn


def _first_names(names: tuple[str, ...], n: int, rng: np.random.Generator) -> Texts:
    plain = drawn(np.array(names, dtype=object), n, rng, slope=0.5)
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
        drawn(np.array(WOMEN, dtype=object), len(first), rng, slope=0.8),
        drawn(np.array(MEN, dtype=object), len(first), rng, slope=0.8),
    )
    return np.where(rng.random(len(first)) < 0.5, first + " " + second, first).astype(object)


def _usage_names(surname: Texts, sex: Texts, birth: Any, rng: np.random.Generator) -> Texts:
    """Name of a spouse, alone or after one's own; None for those who use their own."""
    n = len(surname)
    spouse = drawn(_surnames(), n, rng, slope=0.82)
    adult = birth < np.datetime64("1998-01-01")
    married = (sex == "F") & adult & (rng.random(n) < 0.45)
    both = married & (rng.random(n) < 0.2)
    usage = np.full(n, None, dtype=object)
    usage[married] = spouse[married]
    usage[both] = surname[both] + "-" + spouse[both]
    return usage


def nirs(sex: Texts, birth: Any, place: Texts, rng: np.random.Generator) -> Texts:
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


def without_accents(text: str) -> str:
    """A name as systems without accents and hyphens write it."""
    plain = unicodedata.normalize("NFD", text.replace("œ", "oe"))
    return "".join(c for c in plain if not unicodedata.combining(c)).replace("-", " ")
