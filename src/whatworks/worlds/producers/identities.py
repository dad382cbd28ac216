"""Who the simulated persons say they are: fictitious names, birth dates and numbers.

Nobody is real. Numbers of social security have a valid key, so that readers can check it, and a
birthplace that no register knows (``99999``); names are drawn from short lists, birth dates are
days of the simulated birth month.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from whatworks.worlds.population import Ints

BIRTHPLACE: Final = "99999"
"""Born abroad, in a country that no list has."""
SURNAMES: Final = (
    *("ABADIE", "BOUVET", "CHARLIER", "DELMAS", "ESNAULT", "FABRE", "GÉRAUD", "HUBLOT", "ISAMBERT"),
    *("JOUVE", "KERVELLA", "LACAZE", "MALLET", "NOGARET", "OLLIVIER", "PÉRICARD", "QUÉRÉ"),
    *("RAFFIN", "SAINT-JUST", "TEYSSIER", "URBAIN", "VASSEUR", "WATRIN", "YVON", "ZELLER"),
)
FIRST_NAMES: Final = (
    ("ALAIN", "BRUNO", "CÉDRIC", "DAVID", "ÉRIC", "FARID", "GILLES", "HUGO", "JEAN-MARC", "KARIM"),
    ("ALICE", "BÉATRICE", "CÉLINE", "DELPHINE", "ÉLODIE", "FATIMA", "GAËLLE", "INÈS", "MARIE-LOU"),
)
"""Of men, then of women."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What a register writes of one person; ``sex`` is ``M`` or ``F``, ``born`` ISO."""

    nir: str
    birth_name: str
    usage_name: str
    first_name: str
    born: str
    sex: str


def control_key(body: str) -> str:
    """Two digits that close a number of thirteen.

    >>> control_key("2550814168025")
    '38'
    """
    return f"{97 - int(body) % 97:02d}"


def draw_identities(birth: Ints, woman: Ints, rng: np.random.Generator) -> tuple[Identity, ...]:
    """Identities of persons of known sex and birth month, each with its own number.

    Parameters
    ----------
    birth : ndarray of int, shape (n,)
        Birth month as an integer month.
    woman : ndarray of int, shape (n,)
        1 or 0.
    rng : Generator
    """
    u = rng.random((5, birth.size))
    return tuple(
        _identity(number, int(birth[number]), int(woman[number]), *map(float, u[:, number]))
        for number in range(birth.size)
    )


def _identity(
    number: int, birth: int, woman: int, u1: float, u2: float, u3: float, u4: float, u5: float
) -> Identity:
    names = FIRST_NAMES[woman]
    birth_name = SURNAMES[int(u1 * len(SURNAMES))]
    married = woman == 1 and u3 < 0.4
    usage = SURNAMES[int(u4 * len(SURNAMES))] if married else birth_name
    year, month, day = birth // 12, birth % 12 + 1, 1 + int(u5 * 28)
    body = f"{1 + woman}{year % 100:02d}{month:02d}{BIRTHPLACE}{number + 1:03d}"
    return Identity(
        nir=body + control_key(body),
        birth_name=birth_name,
        usage_name=usage,
        first_name=names[int(u2 * len(names))],
        born=f"{year:04d}-{month:02d}-{day:02d}",
        sex="MF"[woman],
    )
