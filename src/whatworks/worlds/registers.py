"""The simulated département as its operators would hand it over: raw files, each with its habits.

``caf_rsa_YYYY.csv``
    Monthly extract of the family fund: a row per month of an open file, state ``2`` paid, ``4``
    and ``5`` suspended and closed; dates ``01/03/2021``, amounts with a decimal comma.
``contrats.csv``
    Register of contracts: ISO dates, end included, empty while running; nested and overlapping
    contracts, some rows repeated, some ending before they start.
``accompagnements.csv``
    The operator's own list: ISO-8859-1, dates ``31/12/2021``, end *excluded*, ``31/12/2099``
    where a stay was never closed; some rows repeated; a count of meetings, which is activity.
``personnes.csv``
    One row per person.
``sources.toml``
    The mapping that reads all four.
``truth.json``
    What the accompaniments truly do.

The identifier is the same everywhere, starts with zeros and has another column name in each file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from whatworks.months import to_index, to_label
from whatworks.vocabulary import Accompaniment
from whatworks.worlds.clock import Calendar
from whatworks.worlds.departement import DepartementWorld
from whatworks.worlds.folder import MAPPING, RawFile, lay_down
from whatworks.worlds.mapping_text import mapping_text
from whatworks.worlds.pathways import CODES, RUNNING
from whatworks.worlds.population import Ints
from whatworks.worlds.programmes import WINDOW
from whatworks.worlds.truth import POPULATION, compute_truth, truth_to_json

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
REPEATED: Final = 0.0015
"""Of contracts and of accompaniments: recorded twice. At least two in each file."""
REVERSED: Final = 0.001
"""Contracts that end before they start, beside the true ones."""
NESTED: Final = 0.03
"""Of contracts of six months or more: a shorter one of the same kind inside."""
_WRITING: Final = 2
"""Branch of the seed from which habits and errors of the files are drawn."""
TRUTH: Final = "truth.json"
SENTINEL: Final = "31/12/2099"


def write(
    world: DepartementWorld,
    folder: Path | str,
    *,
    truth_persons: int = POPULATION,
    progress: Callable[[str], None] | None = None,
) -> tuple[Path, ...]:
    """Write the raw files of a world, their mapping, and its truth.

    Everything is first written beside ``folder`` and moved at the end: an interrupted run leaves
    what was there before.

    Parameters
    ----------
    world : DepartementWorld
    folder : path
        Absent, empty, or holding a world already; its other files stay, but for the truth of that
        world, which is not the truth of this one.
    truth_persons : int
        Persons simulated for ``truth.json``, see `compute_truth`; 0 writes the raw files only.
    progress : callable, optional
        Called with what is being done, in words.

    Returns
    -------
    tuple of Path
        What was written.

    Raises
    ------
    OptionError
        When ``folder`` holds something else than a world, or cannot be written.
    """
    say = progress or (lambda _: None)
    contents = _contents(world, truth_persons=truth_persons, say=say)
    return lay_down(folder, contents, stale=(TRUTH, "caf_rsa_[0-9][0-9][0-9][0-9].csv"))


def _contents(
    world: DepartementWorld, *, truth_persons: int, say: Callable[[str], None]
) -> Iterator[tuple[str, bytes]]:
    """Raw files, mapping, and truth where it is asked for."""
    for file in raw_files(world):
        say(file.name)
        yield file.name, file.content()
    yield MAPPING, mapping_text(world.options).encode("utf-8")
    if truth_persons:
        truth = compute_truth(
            world.options,
            n_persons=truth_persons,
            progress=lambda done, blocks: say(f"truth: block {done} of {blocks}"),
        )
        yield TRUTH, truth_to_json(truth).encode("utf-8")


def raw_files(world: DepartementWorld) -> Iterator[RawFile]:
    """Every raw file of a world, one at a time."""
    seed = np.random.SeedSequence(world.options.seed, spawn_key=(_WRITING,))
    rng = np.random.Generator(np.random.PCG64(seed))
    yield _persons(world)
    yield _contracts(world, rng)
    yield _accompaniments(world, rng)
    yield from _benefit(world, rng)


def _persons(world: DepartementWorld) -> RawFile:
    persons = world.persons
    birth, position = np.unique(persons.birth, return_inverse=True)
    months = np.array([to_label(int(month)) for month in birth])
    zones = np.array([f"ZE{k + 1:02d}" for k in range(world.options.n_markets)])
    return RawFile(
        "personnes.csv",
        ("ID", "SEXE", "DTNAI", "NIVFOR", "NBENF", "ZE"),
        (
            _identifiers(world).tolist(),
            np.array(["M", "F"])[persons.woman].tolist(),
            months[position].tolist(),
            EDUCATION[persons.education].tolist(),
            np.arange(5).astype(str)[persons.children].tolist(),
            zones[persons.market].tolist(),
        ),
    )


def _contracts(world: DepartementWorld, rng: np.random.Generator) -> RawFile:
    held = world.pathways.contracts
    order = np.lexsort((held.end, held.code, held.start, held.person))
    rows = np.stack([held.person, held.code, held.start, held.end], axis=1)[order]
    opening = int(Calendar.starting(world.options.first).day(0))
    rows = np.concatenate([rows, _nested(rows, rng, opening=opening), _reversed(rows, rng)])
    rows = rows[np.lexsort((rows[:, 3], rows[:, 1], rows[:, 2], rows[:, 0]))]
    numbered = np.column_stack([rows, np.arange(1, len(rows) + 1)])
    person, code, start, end, number = _repeated(numbered, rng).T
    natures = np.array([NATURES[name] for name in CODES])
    closed = end != RUNNING
    ends = np.where(closed, iso_dates(np.where(closed, end, 0)), "")
    return RawFile(
        "contrats.csv",
        ("IdIndividu", "Contrat", "Nature", "DebutCTT", "FinCTT"),
        (
            _identifiers(world)[person].tolist(),
            number.astype(str).tolist(),
            natures[code].tolist(),
            iso_dates(start).tolist(),
            ends.tolist(),
        ),
        separator=",",
    )


def _nested(rows: Ints, rng: np.random.Generator, *, opening: int) -> Ints:
    """Short fixed terms inside some of the long ones: they add no month and no length."""
    days = np.where(rows[:, 3] == RUNNING, 0, rows[:, 3] - rows[:, 2] + 1)
    long = rows[(rows[:, 1] == CODES.index("cdd")) & (days >= 183)]
    inside = long[rng.random(len(long)) < NESTED]
    start = inside[:, 2] + 10 + np.floor(60 * rng.random(len(inside))).astype(np.int64)
    end = start + 6 + np.floor(80 * rng.random(len(inside))).astype(np.int64)
    # Like the others, only those with a day in the window are on the register.
    rows = np.column_stack([inside[:, 0], inside[:, 1], start, end])
    return np.asarray(rows[end >= opening])


def _reversed(rows: Ints, rng: np.random.Generator) -> Ints:
    """Rows whose end lies before their start, beside the true ones."""
    n = max(1, round(REVERSED * len(rows))) if len(rows) else 0
    wrong = rows[np.floor(len(rows) * rng.random(n)).astype(np.int64)].copy()
    wrong[:, 3] = wrong[:, 2] - 1 - np.floor(30 * rng.random(n)).astype(np.int64)
    return wrong


def _repeated(rows: Ints, rng: np.random.Generator) -> Ints:
    """Rows with a few of them twice, the second after the first."""
    n = max(2, round(REPEATED * len(rows))) if len(rows) else 0
    times = np.ones(len(rows), dtype=np.int64)
    times[np.floor(len(rows) * rng.random(n)).astype(np.int64)] = 2
    return np.repeat(rows, times, axis=0)


def _accompaniments(world: DepartementWorld, rng: np.random.Generator) -> RawFile:
    lived = world.pathways
    who = np.flatnonzero(lived.entry >= 0)
    calendar = Calendar.starting(world.options.first)
    after = calendar.day(lived.entry[who] + lived.stay[who])
    meetings = 1 + np.floor(2 * lived.stay[who] * rng.random(who.size)).astype(np.int64)
    closed = (rng.random(who.size) >= NEVER_CLOSED).astype(np.int64)
    rows = np.column_stack(
        [who, lived.programme[who], lived.entry_day[who], after, meetings, closed]
    )
    person, programme, start, end, meetings, closed = _repeated(rows, rng).T
    schemes = [SCHEMES[p.accompaniment] for p in world.options.programmes]
    return RawFile(
        "accompagnements.csv",
        ("NO_DOSSIER", "DISPOSITIF", "LIBELLE", "DATE_DEBUT", "DATE_FIN", "NB_ENTRETIENS"),
        (
            _identifiers(world)[person].tolist(),
            np.array([code for code, _ in schemes])[programme].tolist(),
            np.array([label for _, label in schemes])[programme].tolist(),
            french_dates(start).tolist(),
            np.where(closed == 1, french_dates(end), SENTINEL).tolist(),
            meetings.astype(str).tolist(),
        ),
        encoding="iso-8859-1",
    )


def _benefit(world: DepartementWorld, rng: np.random.Generator) -> Iterator[RawFile]:
    """One file a year: paid months, and the month in which a file stops being paid."""
    paid, worked = world.pathways.rsa, world.pathways.employed
    stops = np.zeros_like(paid)
    stops[1:] = paid[:-1] & ~paid[1:]
    closed = rng.random(world.options.n_persons) < CLOSED_SHARE
    share = np.array([100, 85, 60])[np.searchsorted([0.6, 0.85], rng.random(closed.size))]
    full = CENTS[world.persons.children] * share // 100
    months = to_index(world.options.first) + np.arange(WINDOW)
    first_days = Calendar.starting(world.options.first).day(np.arange(WINDOW))
    names = _identifiers(world)
    for year in np.unique(months // 12):
        at = np.flatnonzero(months // 12 == year)
        person, column = np.nonzero((paid[at] | stops[at]).T)
        month = at[column]
        is_paid = paid[month, person]
        state = np.where(is_paid, "2", np.where(closed[person], "5", "4"))
        cents = np.where(is_paid, full[person] // np.where(worked[month, person], 2, 1), 0)
        yield RawFile(
            f"caf_rsa_{year}.csv",
            ("MATRICULE", "DTREF", "ETATDOSRSA", "MTTOTDRORSA"),
            (
                names[person].tolist(),
                french_dates(first_days[month]).tolist(),
                state.tolist(),
                _euros(cents).tolist(),
            ),
        )


def _identifiers(world: DepartementWorld) -> Strings:
    return np.array([f"{i:07d}" for i in range(1, world.options.n_persons + 1)])


def iso_dates(days: Ints) -> Strings:
    """Dates ``2021-03-01``; each distinct day is written once."""
    distinct, position = np.unique(days, return_inverse=True)
    return np.datetime_as_string(EPOCH + distinct)[position]


def french_dates(days: Ints) -> Strings:
    """Dates ``01/03/2021``."""
    distinct, position = np.unique(days, return_inverse=True)
    written = [f"{d[8:]}/{d[5:7]}/{d[:4]}" for d in np.datetime_as_string(EPOCH + distinct)]
    return np.array(written, dtype=np.str_)[position]


def _euros(cents: Ints) -> Strings:
    """Amounts ``565,34``."""
    distinct, position = np.unique(cents, return_inverse=True)
    written = [f"{c // 100},{c % 100:02d}" for c in distinct.tolist()]
    return np.array(written, dtype=np.str_)[position]
