"""The simulated département as its operators would hand it over: raw files, each with its habits.

====================  ==========================================================================
``caf_rsa_YYYY.csv``  monthly extract of the family fund: a row per month of an open file, state
                      ``2`` paid, ``4`` and ``5`` suspended and closed; dates ``01/03/2021``,
                      amounts with a decimal comma
``contrats.csv``      register of contracts: ISO dates, end included, empty while running; nested
                      and overlapping contracts, some rows repeated, some ending before they start
``accompagnements.csv``  the operator's own list: ISO-8859-1, dates ``31/12/2021``, end *excluded*,
                      ``31/12/2099`` where a stay was never closed; some rows repeated
``personnes.csv``     one row per person
``sources.toml``      the mapping that reads all four
====================  ==========================================================================

The identifier is the same everywhere, starts with zeros and has another column name in each file.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from whatworks.months import to_index, to_label
from whatworks.vocabulary import Accompaniment
from whatworks.worlds.departement import DepartementWorld
from whatworks.worlds.mapping_text import mapping_text
from whatworks.worlds.pathways import CODES, RUNNING, Calendar
from whatworks.worlds.population import Ints
from whatworks.worlds.programmes import WINDOW
from whatworks.worlds.truth import Truth, truth_to_json

Strings = NDArray[np.str_]

NATURES: Final = {"cdi": "01", "cdd": "02", "interim": "03", "aided": "41", "iae": "71"}
SCHEMES: Final = {
    Accompaniment.JOB_SEARCH: ("REM", "Accompagnement à la recherche d'emploi"),
    Accompaniment.AIDED_CONTRACT: ("CAI", "Contrat aidé"),
    Accompaniment.WORK_INTEGRATION: ("IAE", "Insertion par l'activité économique"),
    Accompaniment.SOCIAL_PARTICIPATION: ("PSO", "Participation sociale et bénévolat"),
    Accompaniment.ACCESS_TO_RIGHTS: ("DRO", "Accès aux droits et levée des freins"),
    Accompaniment.INTENSIVE_INTEGRATED: ("INT", "Accompagnement intensif intégré"),
}
"""Code and label of each type in the operator's list."""
EDUCATION: Final = np.array(["AFS", "CP4", "NV5", "NV4", "NV3"])
EPOCH: Final = np.datetime64("1970-01-01", "D")
CENTS: Final = np.array([56_534, 84_801, 101_761, 124_375, 146_988])
"""Monthly RSA of 2021, lone adult, by number of children."""
CLOSED_SHARE: Final = 0.7
"""Of files no longer paid: closed at once rather than suspended."""
NEVER_CLOSED: Final = 0.03
"""Of stays: the operator never recorded the end."""
REPEATED: Final = 0.002
"""Of contracts: recorded twice. At least one in each file that repeats rows."""
REVERSED: Final = 0.001
"""Contracts that end before they start, beside the true ones."""
NESTED: Final = 0.03
"""Of contracts of six months or more: a shorter one of the same kind inside."""
SENTINEL: Final = "31/12/2099"


@dataclass(frozen=True, slots=True)
class RawFile:
    """One file before it is written: header and columns of equal length, in reading order."""

    name: str
    header: tuple[str, ...]
    columns: tuple[list[str], ...]
    separator: str = ";"
    encoding: str = "utf-8"

    def text(self) -> str:
        """The whole file, every line ended."""
        lines = [self.separator.join(self.header)]
        lines += map(self.separator.join, zip(*self.columns, strict=True))
        return "\n".join(lines) + "\n"


def write(
    world: DepartementWorld, folder: Path | str, *, truth: Truth | None = None
) -> tuple[Path, ...]:
    """Write the raw files of a world, their mapping, and its truth when given.

    Everything is first written beside ``folder`` and moved at the end: an interrupted run leaves
    what was there before. Other files of the folder stay.

    Parameters
    ----------
    world : DepartementWorld
    folder : path
    truth : Truth, optional
        Written as ``truth.json``.

    Returns
    -------
    tuple of Path
        What was written.
    """
    target = Path(folder)
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        for file in raw_files(world):
            (beside / file.name).write_bytes(file.text().encode(file.encoding))
        mapping = mapping_text(world.options)
        (beside / "sources.toml").write_bytes(mapping.encode("utf-8"))
        if truth is not None:
            (beside / "truth.json").write_bytes(truth_to_json(truth).encode("utf-8"))
        return _move(beside, target)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def raw_files(world: DepartementWorld) -> Iterator[RawFile]:
    """Every raw file of a world, one at a time."""
    seed = np.random.SeedSequence(world.options.seed, spawn_key=(_WRITING,))
    rng = np.random.Generator(np.random.PCG64(seed))
    yield _persons(world)
    yield _contracts(world, rng)
    yield _accompaniments(world, rng)
    yield from _benefit(world, rng)
