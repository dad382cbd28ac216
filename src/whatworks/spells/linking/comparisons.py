"""How two persons are compared, field by field: French names, dates and places.

Each comparison is a ladder of levels, the first that holds counting. A level weighs log2(m / u): ``m`` is
how often it holds between two records of one person, ``u`` between those of two. Both are learnt from the
data (`scoring`); the values here are where learning starts, and what is used where the data show nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from whatworks.spells.linking import people

NEVER: Final = 1e-30
"""``m`` of what no other evidence makes up for. Not learnt: twins share all but the first name, a father
and son of one name all but the birth. A file that gets one of the two wholly wrong loses a link; joining
relatives would give one the pathway of the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One step of a ladder.

    Parameters
    ----------
    label : str
    condition : str
        SQL over the two records, columns ending in ``_l`` and ``_r``.
    m, u : float
        Where learning starts.
    frequency : str
        Column whose rarer values weigh more, when there is one.
    fixed : bool
        True when ``m`` is not learnt.
    """

    label: str
    condition: str
    m: float
    u: float
    frequency: str = ""
    fixed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One ladder.

    Parameters
    ----------
    name : str
    unknown : str
        SQL condition under which the two records say nothing.
    levels : tuple of Level
        From the closest to the farthest; the last holds when no other does.
    needs : tuple of str
        Columns that two spaces at least must tell.
    """

    name: str
    unknown: str
    levels: tuple[Level, ...]
    needs: tuple[str, ...]


def _either_null(column: str) -> str:
    return f"{column}_l is null or {column}_r is null"


def _same(column: str) -> str:
    return f"{column}_l = {column}_r"


_ELSE: Final = "ELSE"
_SWAPPED: Final = (
    f"list_contains({people.FAMILIES}_l, {people.GIVEN}_r)"
    f" and list_contains({people.FAMILIES}_r, {people.GIVEN}_l)"
)
"""The first name of each where the other has its name."""
_CLOSE_FAMILY: Final = " or ".join(
    f"jaro_winkler_similarity({one}_l, {other}_r, 0.92) > 0"
    for one in (people.BIRTH_NAME, people.USAGE_NAME)
    for other in (people.BIRTH_NAME, people.USAGE_NAME)
)
"""The engine answers 0 below the cutoff."""
_FORMS: Final = (
    f"list_contains({people.GIVEN_FORMS}_l, {people.GIVEN}_r)"
    f" or list_contains({people.GIVEN_FORMS}_r, {people.GIVEN}_l)"
)
_SHORTER: Final = f"least(length({people.GIVEN}_l), length({people.GIVEN}_r))"
_TYPO: Final = f"damerau_levenshtein({people.GIVEN}_l, {people.GIVEN}_r)"
_CUT: Final = (
    f"{_SHORTER} >= 7 and (starts_with({people.GIVEN}_l, {people.GIVEN}_r)"
    f" or starts_with({people.GIVEN}_r, {people.GIVEN}_l))"
)
_DIGITS_DIFFER: Final = f"damerau_levenshtein({people.BIRTH_TEXT}_l, {people.BIRTH_TEXT}_r) <= 1"
_SWAPPED_DATE: Final = (
    f"{people.YEAR}_l = {people.YEAR}_r and day({people.BIRTH}_l) = month({people.BIRTH}_r)"
    f" and month({people.BIRTH}_l) = day({people.BIRTH}_r)"
)
_DEFAULT_DATE: Final = (
    f"{people.YEAR}_l = {people.YEAR}_r"
    f" and ({people.DEFAULT_DAY}_l = 1 or {people.DEFAULT_DAY}_r = 1)"
)
_TWO_OF_THREE: Final = (
    f"(({people.YEAR}_l = {people.YEAR}_r)::int"
    f" + (month({people.BIRTH}_l) = month({people.BIRTH}_r))::int"
    f" + (day({people.BIRTH}_l) = day({people.BIRTH}_r))::int) = 2"
)


def _departement(column: str) -> str:
    return f"{column}_l[:2] = {column}_r[:2]"


FAMILY: Final = Comparison(
    name="family_name",
    unknown=_either_null(people.FAMILY),
    levels=(
        Level(
            label="same", condition=_same(people.FAMILY), m=0.80, u=2e-3, frequency=people.FAMILY
        ),
        Level(
            label="birth and usage crossed, or particles apart",
            condition=f"list_has_any({people.FAMILIES}_l, {people.FAMILIES}_r)",
            m=0.08,
            u=1e-3,
        ),
        Level(label="first name and name exchanged", condition=_SWAPPED, m=0.01, u=2e-6),
        Level(
            label="one part of a compound name",
            condition=f"list_has_any({people.FAMILY_PARTS}_l, {people.FAMILY_PARTS}_r)",
            m=0.03,
            u=1e-3,
        ),
        Level(label="close spelling", condition=_CLOSE_FAMILY, m=0.05, u=1e-3),
        Level(label="other", condition=_ELSE, m=0.03, u=0.995),
    ),
    needs=(people.FAMILY,),
)
GIVEN: Final = Comparison(
    name="first_name",
    # Exchanged with the name: the evidence has been counted there.
    unknown=f"{_either_null(people.GIVEN)} or ({_SWAPPED})",
    levels=(
        Level(label="same", condition=_same(people.GIVEN), m=0.90, u=1e-2, frequency=people.GIVEN),
        Level(label="among several, or part of a compound", condition=_FORMS, m=0.05, u=1e-2),
        Level(
            label="one typing error, or cut",
            condition=f"({_SHORTER} >= 5 and {_TYPO} <= 1) or ({_SHORTER} >= 8 and {_TYPO} <= 2)"
            f" or ({_CUT})",
            m=0.04,
            u=2e-3,
        ),
        Level(
            label="one letter of a short name",
            condition=f"{_SHORTER} >= 3 and {_TYPO} <= 1",
            m=0.01,
            u=4e-3,
        ),
        Level(label="other", condition=_ELSE, m=NEVER, u=0.97, fixed=True),
    ),
    needs=(people.GIVEN,),
)
BIRTH: Final = Comparison(
    name="birth_date",
    unknown=_either_null(people.BIRTH),
    levels=(
        Level(
            label="same, not a 1 January",
            condition=f"{_same(people.BIRTH)} and {people.DEFAULT_DAY}_l = 0",
            m=0.92,
            u=5e-5,
        ),
        Level(label="same 1 January", condition=_same(people.BIRTH), m=0.01, u=1e-5),
        Level(label="day and month exchanged", condition=_SWAPPED_DATE, m=0.01, u=3e-5),
        Level(label="same year, one of them a 1 January", condition=_DEFAULT_DATE, m=0.02, u=5e-4),
        Level(label="one digit", condition=_DIGITS_DIFFER, m=0.02, u=8e-4),
        Level(label="two of day, month and year", condition=_TWO_OF_THREE, m=0.01, u=6e-3),
        Level(label="other", condition=_ELSE, m=NEVER, u=0.99, fixed=True),
    ),
    needs=(people.BIRTH,),
)
SEX: Final = Comparison(
    name="sex",
    unknown=_either_null(people.SEX),
    levels=(
        Level(label="same", condition=_same(people.SEX), m=0.998, u=0.5),
        Level(label="other", condition=_ELSE, m=0.002, u=0.5),
    ),
    needs=(people.SEX,),
)
BIRTHPLACE: Final = Comparison(
    name="birth_place",
    unknown=_either_null(people.BIRTHPLACE),
    levels=(
        Level(
            label="same commune",
            condition=_same(people.BIRTHPLACE),
            m=0.93,
            u=1e-2,
            frequency=people.BIRTHPLACE,
        ),
        Level(label="same département", condition=_departement(people.BIRTHPLACE), m=0.03, u=5e-2),
        Level(label="other", condition=_ELSE, m=0.04, u=0.94),
    ),
    needs=(people.BIRTHPLACE,),
)
COMMUNE: Final = Comparison(
    name="place_lived_in",
    unknown=_either_null(people.COMMUNE),
    levels=(
        Level(
            label="same commune",
            condition=_same(people.COMMUNE),
            m=0.80,
            u=2e-2,
            frequency=people.COMMUNE,
        ),
        Level(label="same département", condition=_departement(people.COMMUNE), m=0.12, u=0.3),
        Level(label="moved", condition=_ELSE, m=0.08, u=0.68),
    ),
    needs=(people.COMMUNE,),
)
POSTCODE: Final = Comparison(
    name="place_lived_in",
    unknown=_either_null(people.POSTCODE),
    levels=(
        Level(
            label="same postcode",
            condition=_same(people.POSTCODE),
            m=0.80,
            u=2e-2,
            frequency=people.POSTCODE,
        ),
        Level(label="same département", condition=_departement(people.POSTCODE), m=0.12, u=0.3),
        Level(label="moved", condition=_ELSE, m=0.08, u=0.68),
    ),
    needs=(people.POSTCODE,),
)
EMAIL: Final = Comparison(
    name="email",
    unknown=_either_null(people.EMAIL),
    levels=(
        Level(label="same", condition=_same(people.EMAIL), m=0.60, u=1e-5),
        Level(
            label="same before the at sign",
            condition=f"split_part({people.EMAIL}_l, '@', 1) = split_part({people.EMAIL}_r, '@', 1)",
            m=0.05,
            u=5e-5,
        ),
        Level(label="other", condition=_ELSE, m=0.35, u=0.9999),
    ),
    needs=(people.EMAIL,),
)
PHONE: Final = Comparison(
    name="phone",
    unknown=_either_null(people.PHONE),
    levels=(
        Level(label="same", condition=_same(people.PHONE), m=0.60, u=1e-5),
        Level(label="other", condition=_ELSE, m=0.40, u=0.9999),
    ),
    needs=(people.PHONE,),
)
INDISPENSABLE: Final = (FAMILY, GIVEN, BIRTH)
"""Without these no probability is worth much."""
HELPFUL: Final = (SEX, BIRTHPLACE, COMMUNE, POSTCODE, EMAIL, PHONE)
"""Used where two spaces at least tell them; of two ladders of one name, the first."""
