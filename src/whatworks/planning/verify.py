"""Whether an assignment is the one its seed makes of its inputs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from whatworks.errors import DesignRefused, OptionError
from whatworks.planning.assign import (
    ELIGIBLE_PERSONS,
    assign,
    digest_of,
    late_drawn,
    shares_digest,
)
from whatworks.planning.drawing import Rules
from whatworks.planning.folder import Kept, read_folder
from whatworks.planning.inputs import read_named
from whatworks.planning.keyed import commitment
from whatworks.planning.trial import Trial
from whatworks.vocabulary import MARKET, PERSON, SATURATION, STRATUM, TREATED

_CHECKS = {
    "audit": "the audit trail is as it was written",
    "seed": "the seed is the one committed to",
    "markets_given": "the markets given are those of the draw",
    "persons_given": "the persons given are those of the draw",
    "shares": "the seed makes these shares of these markets",
    "persons": "the seed assigns these persons",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What was replayed.

    Parameters
    ----------
    checks : DataFrame
        ``check, holds, what, differing``: rows that differ where rows were compared.
    """

    checks: pd.DataFrame

    @property
    def holds(self) -> bool:
        """Whether everything does."""
        return bool(self.checks["holds"].all())

    def raise_if_changed(self) -> None:
        """Refuse an assignment of which something does not hold.

        Raises
        ------
        DesignRefused
            Naming the first check that fails.
        """
        failed = self.checks[~self.checks["holds"]]
        if not failed.empty:
            first = failed.iloc[0]
            raise DesignRefused(
                what=f"assignment, check {first['check']!r}",
                needed=str(first["what"]),
                found=f"{int(first['differing'])} rows that differ"
                if first["differing"]
                else "another content",
                remedy="bring back files and inputs as they were; identifiers are read as text",
            )


def verify_assignment(
    folder: str | Path, markets: pd.DataFrame | None = None, persons: pd.DataFrame | None = None
) -> Verification:
    """Replay the draw of a folder from its inputs, and compare.

    Parameters
    ----------
    folder : path
        As `whatworks.planning.Assignment.save` writes it.
    markets : DataFrame, optional
        As given to `whatworks.planning.assign`; not needed for late arrivals.
    persons : DataFrame, optional
        Likewise; needed where persons were drawn.

    Returns
    -------
    Verification

    Raises
    ------
    OptionError
        When the folder or the tables cannot be read, or a table that was drawn from is not given.
    """
    kept = read_folder(folder)
    found = {
        "audit": (kept.audit["digest"] == digest_of(kept.audit), 0),
        "seed": (kept.audit.get("seed_sha256") == commitment(kept.seed), 0),
    }
    late = kept.audit.get("kind") == "late_arrivals"
    found |= _late(kept, persons) if late else _first(kept, markets, persons)
    rows = [
        {"check": name, "holds": bool(holds), "what": _CHECKS[name], "differing": int(rows)}
        for name, (holds, rows) in found.items()
    ]
    return Verification(checks=pd.DataFrame(rows))


def _first(
    kept: Kept, markets: pd.DataFrame | None, persons: pd.DataFrame | None
) -> dict[str, tuple[bool, int]]:
    # What the audit says was drawn, not what is found: a file taken away is a change too.
    drawn = "persons" in kept.audit["inputs"]
    if markets is None or (drawn and persons is None):
        raise _not_given("markets and persons" if drawn else "markets")
    again = assign(
        markets,
        persons if drawn else None,
        trial=Trial(**kept.options("trial")),
        rules=Rules(**kept.options("rules")),
        seed=kept.seed,
        check=tuple(kept.audit.get("check", ())),
        date=str(kept.audit.get("date")),
    )
    given, before = again.audit["inputs"], kept.audit["inputs"]
    found = {"markets_given": (given["markets"] == before.get("markets"), 0)}
    if drawn:
        found["persons_given"] = (given["persons"] == before.get("persons"), 0)
    columns = (STRATUM, SATURATION, *((ELIGIBLE_PERSONS, TREATED) if drawn else ()))
    found["shares"] = _same(again.markets, kept.markets, MARKET, columns)
    if again.persons is not None:
        found["persons"] = _same(
            again.persons, _persons(kept), PERSON, (MARKET, STRATUM, SATURATION, TREATED)
        )
    return found


def _persons(kept: Kept) -> pd.DataFrame:
    """The file of persons, without rows where there is none."""
    columns = [PERSON, MARKET, STRATUM, SATURATION, TREATED]
    return pd.DataFrame(columns=columns, dtype=object) if kept.persons is None else kept.persons


def _late(kept: Kept, persons: pd.DataFrame | None) -> dict[str, tuple[bool, int]]:
    if persons is None or kept.persons is None:
        raise _not_given("persons")
    rules = Rules(**kept.options("rules"))
    people = read_named(persons, rules.person, what="persons", labels=(rules.market,))
    again = late_drawn(kept.markets, people, rules=rules, seed=kept.seed)[1]
    before = kept.audit["inputs"].get("persons", {})
    return {
        "persons_given": (people.digest() == before.get("sha256"), 0),
        "shares": (shares_digest(kept.markets) == kept.audit.get("shares_sha256"), 0),
        "persons": _same(again, kept.persons, PERSON, (MARKET, STRATUM, SATURATION, TREATED)),
    }


def _same(
    mine: pd.DataFrame, theirs: pd.DataFrame, name: str, columns: tuple[str, ...]
) -> tuple[bool, int]:
    """Whether two tables say the same of the same rows, and how many rows differ."""
    one = mine.set_index(name)[list(columns)]
    if not set(columns) <= set(theirs):
        return False, len(one)
    two = theirs.set_index(theirs[name].astype(str))[list(columns)]
    if not two.index.is_unique or set(one.index) != set(two.index):
        return False, len(set(one.index) ^ set(two.index)) + int(two.index.duplicated().sum())
    two = two.reindex(one.index)
    differ = np.zeros(len(one), dtype=bool)
    for column in columns:
        a, b = one[column], two[column]
        if pd.api.types.is_numeric_dtype(a):
            differ |= ~np.isclose(a.to_numpy(float), b.to_numpy(float), rtol=0, atol=1e-12)
        else:
            differ |= a.astype(str).to_numpy() != b.astype(str).to_numpy()
    return not differ.any(), int(differ.sum())


def _not_given(what: str) -> OptionError:
    return OptionError(
        what="verify_assignment",
        needed=f"the tables of {what} that were drawn from",
        found="none",
        remedy="give them as they were given to assign",
    )
