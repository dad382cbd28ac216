"""A rollout where jobs are finite as its operators would hand it over: raw files and their mapping.

``personnes.csv``
    A row per person: month of birth, occupation family sought, public (young graduates may be
    enrolled, the others compete with them), index of employability, labour market, commune.
``droits.csv``
    Rights of young graduates, who alone may be enrolled: ISO dates, empty while they last.
``inscriptions.csv``
    Registrations of job seekers: ISO dates, end excluded, empty while registered.
``contrats.csv``
    Hires: ISO dates, end included, empty while running; some began before the window.
``accompagnements.csv``
    Who was enrolled: ISO-8859-1, dates ``31/12/2021``, end excluded.
``communes.csv``, ``tension.csv``
    Zone and département of each commune; vacancies per seeker by zone and month.
``sources.toml``
    The mapping that reads them.
``truth.json``
    What the programme truly does, by months since a market opened.

Markets are zones × occupation families. Identifiers start with zeros.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from whatworks.months import to_index, to_label
from whatworks.vocabulary import MARKET, TIGHTNESS
from whatworks.worlds.clock import Calendar
from whatworks.worlds.folder import MAPPING, RawFile, lay_down
from whatworks.worlds.jobs.mapping_text import mapping_text
from whatworks.worlds.jobs.options import bad
from whatworks.worlds.jobs.rollout import FIRST_TREATED, NOT_ENROLLED, JobsRolloutWorld
from whatworks.worlds.jobs.rollout_truth import rollout_truth, simulated_rollout_truth
from whatworks.worlds.programmes import WINDOW
from whatworks.worlds.registers import french_dates, iso_dates

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Strings = NDArray[np.str_]

FIRST: Final = "2021-01"
"""Month 1 of the rollout."""
FAMILIES: Final = ("COM", "BAT", "SAN")
"""Occupation families: trade, building, health and care."""
DEPARTEMENT_CODE: Final = "90"
STAY: Final = 6
"""Months of accompaniment, that of enrolment included."""
COMMUNES_EACH: Final = 3
"""Communes of a zone."""
RUNNING: Final = -1
TRUTH: Final = "truth.json"
TRUTH_MONTHS: Final = 12
"""Months since opening for which the truth is told."""
_DIGITS: Final = 6
_ABOUT: Final = (
    "Effects known by construction, by months since a market opened: enrolled against the others of "
    "their market (direct), those against the same market had it not opened (spillover), enrolled "
    "against the same (total), in shares at work; and persons at work, in all, per 100 enrolled "
    "(net_pool)."
)
_WRITING: Final = 3


def write_rollout(
    world: JobsRolloutWorld, folder: Path | str, *, families: int = 2, truth: bool = True
) -> tuple[Path, ...]:
    """Write the raw files of a rollout and their mapping.

    Months at work in the files are those of the world, month for month.

    Parameters
    ----------
    world : JobsRolloutWorld
    folder : path
        Absent, empty, or holding a world already.
    families : int
        Occupation families of a zone, from 1 to 3: successive markets are of one zone.
    truth : bool
        Write ``truth.json`` too: in closed form, or by simulation where enrolment is selected.

    Returns
    -------
    tuple of Path
        What was written.

    Raises
    ------
    OptionError
        For a number of families out of range, more than 60 months, or a folder that cannot be written.
    """
    if not 1 <= families <= len(FAMILIES):
        raise bad("families", f"from 1 to {len(FAMILIES)}", str(families))
    if world.options.n_months > WINDOW:
        raise bad("n_months", f"at most {WINDOW} to be written", str(world.options.n_months))
    seed = np.random.SeedSequence(world.options.seed, spawn_key=(_WRITING,))
    rng = np.random.Generator(np.random.PCG64(seed))
    files = _files(world, families, rng)
    contents = [(file.name, file.content()) for file in files]
    contents.append((MAPPING, mapping_text(FIRST, last_month(world)).encode("utf-8")))
    if truth:
        contents.append((TRUTH, _truth(world).encode("utf-8")))
    return lay_down(folder, contents, stale=(TRUTH,))


def last_month(world: JobsRolloutWorld) -> str:
    """Last month of the files, ``YYYY-MM``; the first is `FIRST`."""
    return to_label(to_index(FIRST) + world.options.n_months - 1)


def _truth(world: JobsRolloutWorld) -> str:
    """Text of ``truth.json``: options, meaning, and one figure a line."""
    options = world.options
    told = simulated_rollout_truth if options.selection else rollout_truth
    rows = told(options, months=TRUTH_MONTHS).round(_DIGITS)
    # Where no tightness is told there is none to write.
    lines = [json.dumps(row) for row in rows.dropna(axis=1, how="all").to_dict("records")]
    head = (f'"about": {json.dumps(_ABOUT)}', f'"options": {json.dumps(asdict(options))}')
    effects = ",\n".join(lines)
    return "{\n" + ",\n".join((*head, f'"effects": [\n{effects}\n]')) + "\n}\n"


def _files(world: JobsRolloutWorld, families: int, rng: np.random.Generator) -> Iterator[RawFile]:
    yield _persons(world, families, rng)
    yield _rights(world)
    person, start, end = _contracts(world, rng)
    yield _hires(world, person, start, end, rng)
    yield _registrations(world, person, start, end)
    yield _accompaniments(world, rng)
    yield _communes(world, families)
    yield _tightness(world, families)


def _persons(world: JobsRolloutWorld, families: int, rng: np.random.Generator) -> RawFile:
    people = world.persons
    market = people[MARKET].to_numpy()
    zones, kinds = _zones(world, families), np.array(FAMILIES)
    commune = market // families * COMMUNES_EACH + rng.integers(COMMUNES_EACH, size=market.size)
    born = to_index(FIRST) - 12 * 20 - rng.integers(12 * 10, size=market.size)
    months, position = np.unique(born, return_inverse=True)
    names = np.array([f"{zone}-{kind}" for zone in zones for kind in kinds[:families]])
    index = [f"{value:.4f}".replace(".", ",") for value in people["x"].tolist()]
    return RawFile(
        "personnes.csv",
        ("ID", "DTNAI", "METIER", "PUBLIC", "INDICE", "BASSIN", "COM"),
        (
            _identifiers(market.size).tolist(),
            np.array([to_label(int(month)) for month in months])[position].tolist(),
            kinds[market % families].tolist(),
            np.array(["AU", "JD"])[people["eligible"].to_numpy()].tolist(),
            index,
            names[market].tolist(),
            _commune_codes(zones.size)[commune].tolist(),
        ),
    )


def _rights(world: JobsRolloutWorld) -> RawFile:
    who = np.flatnonzero(world.persons["eligible"].to_numpy() == 1)
    since = iso_dates(np.full(who.size, int(Calendar.starting(FIRST).day(0)) - 90))
    return RawFile(
        "droits.csv",
        ("IDENT", "DROIT", "DEBUT", "FIN"),
        (
            _identifiers(len(world.persons))[who].tolist(),
            ["JD"] * who.size,
            since.tolist(),
            [""] * who.size,
        ),
    )


def _contracts(world: JobsRolloutWorld, rng: np.random.Generator) -> tuple[Ints, Ints, Ints]:
    """Runs of months at work as days: person, first day, last day (`RUNNING` for none)."""
    work = world.employed.T.astype(np.int8)
    months = work.shape[1]
    edges = np.diff(np.pad(work, ((0, 0), (1, 1))), axis=1)
    person, first = np.nonzero(edges == 1)
    last = np.nonzero(edges == -1)[1] - 1
    calendar = Calendar.starting(FIRST)
    # Days 2 to 14 and 15 to 27: a contract of one month has both its days in it.
    start = calendar.day(first) + 1 + rng.integers(13, size=first.size)
    before = calendar.day(0) - 1 - rng.integers(400, size=first.size)
    end = calendar.day(last) + 14 + rng.integers(13, size=first.size)
    start = np.where(first == 0, before, start)
    return person, start, np.where(last == months - 1, RUNNING, end)


def _hires(
    world: JobsRolloutWorld, person: Ints, start: Ints, end: Ints, rng: np.random.Generator
) -> RawFile:
    closed = end != RUNNING
    nature = np.where(closed | (rng.random(end.size) < 0.5), "02", "01")
    return RawFile(
        "contrats.csv",
        ("IdIndividu", "Contrat", "Nature", "DebutCTT", "FinCTT"),
        (
            _identifiers(len(world.persons))[person].tolist(),
            np.arange(1, person.size + 1).astype(str).tolist(),
            nature.tolist(),
            iso_dates(start).tolist(),
            np.where(closed, iso_dates(np.where(closed, end, 0)), "").tolist(),
        ),
        separator=",",
    )


def _registrations(world: JobsRolloutWorld, person: Ints, start: Ints, end: Ints) -> RawFile:
    """Between contracts, people are registered; those without one since before the window."""
    n = len(world.persons)
    opening = int(Calendar.starting(FIRST).day(0))
    first = np.append(True, person[1:] != person[:-1])
    busy_at_start = np.zeros(n, dtype=bool)
    busy_at_start[person[first]] = start[first] < opening
    waiting = np.flatnonzero(~busy_at_start)
    after = end != RUNNING
    who = np.concatenate([waiting, person[after]])
    since = np.concatenate([np.full(waiting.size, opening - 60), end[after] + 1])
    order = np.lexsort((since, who))
    who, since = who[order], since[order]
    # The contract that ends a registration is the person's first one to start after it began.
    far = int(since.max(initial=0)) + int(start.max(initial=0)) + 2
    keys = np.append(person * far + np.maximum(start, 0), np.iinfo(np.int64).max)
    at = np.searchsorted(keys, who * far + since)
    left = np.append(person, -1)[at] == who
    until = np.where(left, np.append(start, 0)[at], 0)
    return RawFile(
        "inscriptions.csv",
        ("IDENT", "DATINS", "DATANN"),
        (
            _identifiers(n)[who].tolist(),
            iso_dates(since).tolist(),
            np.where(left, iso_dates(until), "").tolist(),
        ),
    )


def _accompaniments(world: JobsRolloutWorld, rng: np.random.Generator) -> RawFile:
    enrolled = world.persons[FIRST_TREATED].to_numpy()
    who = np.flatnonzero(enrolled != NOT_ENROLLED)
    calendar = Calendar.starting(FIRST)
    month = enrolled[who] - 1
    start = calendar.day(month) + rng.integers(28, size=who.size)
    return RawFile(
        "accompagnements.csv",
        ("NO_DOSSIER", "DISPOSITIF", "LIBELLE", "DATE_DEBUT", "DATE_FIN"),
        (
            _identifiers(len(world.persons))[who].tolist(),
            ["REM"] * who.size,
            ["Accompagnement à la recherche d'emploi"] * who.size,
            french_dates(start).tolist(),
            french_dates(calendar.day(month + STAY)).tolist(),
        ),
        encoding="iso-8859-1",
    )


def _communes(world: JobsRolloutWorld, families: int) -> RawFile:
    zones = _zones(world, families)
    codes = _commune_codes(zones.size)
    return RawFile(
        "communes.csv",
        ("COM", "ZE", "DEP"),
        (
            codes.tolist(),
            np.repeat(zones, COMMUNES_EACH).tolist(),
            [DEPARTEMENT_CODE] * codes.size,
        ),
    )


def _tightness(world: JobsRolloutWorld, families: int) -> RawFile:
    """Vacancies per seeker of each zone, the same every month of the window."""
    table = world.markets
    zone = table[MARKET].to_numpy() // families
    # Where no tightness is told, all markets are alike: as many vacancies as seekers.
    tightness = np.nan_to_num(table[TIGHTNESS].to_numpy(), nan=1.0)
    size = table["seekers"].to_numpy(dtype=float)
    mean = np.bincount(zone, size * tightness) / np.bincount(zone, size)
    months = [to_label(to_index(FIRST) + k) for k in range(world.options.n_months)]
    values = [f"{value:.4f}".replace(".", ",") for value in mean.tolist()]
    zones = _zones(world, families)
    return RawFile(
        "tension.csv",
        ("ZE", "MOIS", "TENSION"),
        (
            np.repeat(zones, len(months)).tolist(),
            months * zones.size,
            np.repeat(np.array(values), len(months)).tolist(),
        ),
    )


def _zones(world: JobsRolloutWorld, families: int) -> Strings:
    count = -(-world.options.n_markets // families)
    return np.array([f"{int(DEPARTEMENT_CODE) * 100 + k + 1:04d}" for k in range(count)])


def _commune_codes(n_zones: int) -> Strings:
    return np.array([f"{DEPARTEMENT_CODE}{k + 1:03d}" for k in range(n_zones * COMMUNES_EACH)])


def _identifiers(n: int) -> Strings:
    return np.array([f"{i:08d}" for i in range(1, n + 1)])
