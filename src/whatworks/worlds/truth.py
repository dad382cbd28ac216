"""What the accompaniments of a simulated département truly do: every entrant lives twice.

Each entrant is followed once as they entered and once kept from entering in that very month, with
the same uniforms; from the next month on the natural chances hold in both lives. The average
difference is the effect of starting now against not having started, over those who started.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from whatworks.errors import OptionError
from whatworks.vocabulary import Accompaniment
from whatworks.worlds.departement import DepartementWorld, live
from whatworks.worlds.pathways import Pathways
from whatworks.worlds.population import Floats, Ints, tightness
from whatworks.worlds.programmes import ENTRY_MONTHS, Departement, Programme, Selection

POPULATION: Final = 1_500_000
"""Persons behind a published truth: simulation errors near 0.1 pp."""
MONTHS: Final = (6, 12, 18, 24)
NAIVE_MONTH: Final = 24
OUTCOMES: Final = {
    "employment_presence": "pp",
    "months_in_employment": "months",
    "durable_employment": "pp",
    "rsa_exit": "pp",
}
_POPULATION: Final = 1
"""Branch of the seed from which the population's blocks are drawn; the sample has the trunk."""
DIGITS: Final = 4
"""Decimals kept: half a unit of the last is far below every standard error."""
ESTIMAND: Final = (
    "Average over the entrants of a type of the difference, h months after the month of entry, "
    "between their outcome and their own outcome had they not entered in that month while facing "
    "the natural chances of entering any type from the next month on, with the same uniforms."
)
DEFINITIONS: Final = {
    "employment_presence": "100 when a day of month h is under a contract other than aided or iae",
    "months_in_employment": "months 1 to h after entry with a day under such a contract",
    "durable_employment": "100 when month h has a day under a cdi, or a cdd of 183 days or more",
    "rsa_exit": "100 when RSA is paid neither in month h nor in the two months before it",
}
NAIVE: Final = (
    "Mean outcome 24 months after the month of entry of the entrants of a type, less that of all "
    "other persons eligible in the same calendar month who started nothing by the end of it; "
    "calendar months weighted by entrants. Nothing is matched."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """Effects known by construction.

    Parameters
    ----------
    options : Departement
        The world it belongs to.
    n_persons : int
        Simulated persons behind the population's figures.
    population : DataFrame
        ``accompaniment, outcome, month, unit, value, std_error, n``: effects in the population the
        sample is drawn from; ``std_error`` is that of the simulation, ``n`` counts entrants.
    sample : DataFrame
        ``accompaniment, outcome, month, unit, value, n``: the same average over the entrants of
        the sample itself.
    naive : DataFrame
        ``accompaniment, outcome, month, unit, value, std_error, n``: the unmatched contrast in the
        population, for the size of its bias.
    """

    options: Departement
    n_persons: int
    population: pd.DataFrame
    sample: pd.DataFrame
    naive: pd.DataFrame

    def at(self, accompaniment: str, *, outcome: str, month: int) -> float:
        """Effect in the population, in the unit of the outcome."""
        rows = self.population
        chosen = rows[
            (rows["accompaniment"] == accompaniment)
            & (rows["outcome"] == outcome)
            & (rows["month"] == month)
        ]
        return float(chosen["value"].iloc[0])


def compute_truth(
    options: Departement,
    *,
    n_persons: int = POPULATION,
    block: int = 50_000,
    progress: Callable[[int, int], None] | None = None,
) -> Truth:
    """Live every life twice in a large population, block by block.

    Parameters
    ----------
    options : Departement
    n_persons : int
        Size of the population, a multiple of ``block``; only one block is in memory at a time.
    block : int
    progress : callable, optional
        Called with blocks done and blocks in all.
    """
    if block < 1 or n_persons % block or n_persons // block < 2:
        raise OptionError(
            what="n_persons",
            needed="at least two whole blocks",
            found=f"{n_persons} persons in blocks of {block}",
            remedy="choose a multiple of the block",
        )
    blocks = n_persons // block
    crowd = replace(options, n_persons=block)
    effects, contrasts = _no_sums(options), []
    for number in range(blocks):
        seed = np.random.SeedSequence(options.seed, spawn_key=(_POPULATION, number))
        world = live(crowd, seed)
        effects = effects + _paired(world, seed)
        contrasts.append(_naive(world))
        if progress is not None:
            progress(number + 1, blocks)
    own = np.random.SeedSequence(options.seed)
    sample = _paired(live(options, own), own)
    return Truth(
        options=options,
        n_persons=n_persons,
        population=_effects_frame(options, effects),
        sample=_effects_frame(options, sample).drop(columns="std_error"),
        naive=_naive_frame(options, np.stack(contrasts), effects.count),
    )


@dataclass(frozen=True, slots=True)
class _Sums:
    """Sums over entrants of paired differences and of their squares.

    ``count`` has shape (n_programmes,); ``total`` and ``square`` have shape (n_programmes,
    n_outcomes, n_months). Differences are whole numbers, so that sums are exact.
    """

    count: Floats
    total: Floats
    square: Floats

    def __add__(self, other: _Sums) -> _Sums:
        return _Sums(self.count + other.count, self.total + other.total, self.square + other.square)


def _no_sums(options: Departement) -> _Sums:
    shape = (len(options.programmes), len(OUTCOMES), len(MONTHS))
    return _Sums(np.zeros(shape[0]), np.zeros(shape), np.zeros(shape))


def _paired(world: DepartementWorld, seed: np.random.SeedSequence) -> _Sums:
    """Differences between each entrant's two lives."""
    lived = world.pathways
    other = live(world.options, seed, blocked=lived.entry).pathways
    who = np.flatnonzero(lived.entry >= 0)
    programme, n = lived.programme[who], len(world.options.programmes)
    sums = _no_sums(world.options)
    for j, month in enumerate(MONTHS):
        at = lived.entry[who] + month
        with_, without = _outcomes(lived, who, at, month), _outcomes(other, who, at, month)
        for i, difference in enumerate(with_ - without):
            sums.total[:, i, j] = np.bincount(programme, difference, minlength=n)
            sums.square[:, i, j] = np.bincount(programme, difference**2, minlength=n)
    count = np.bincount(programme, minlength=n).astype(np.float64)
    return _Sums(count, sums.total, sums.square)


def _outcomes(pathways: Pathways, who: Ints, at: Ints, month: int) -> Floats:
    """Outcomes of persons in month ``at``, ``month`` after entry, shape (n_outcomes, n)."""
    worked = np.zeros(who.size)
    for back in range(month):
        worked += pathways.employed[at - back, who]
    paid = pathways.rsa[at, who] | pathways.rsa[at - 1, who] | pathways.rsa[at - 2, who]
    return np.stack(
        [
            100.0 * pathways.employed[at, who],
            worked,
            100.0 * pathways.durable[at, who],
            100.0 * ~paid,
        ]
    )


def _naive(world: DepartementWorld) -> Floats:
    """Unmatched contrast of each programme, shape (n_programmes, n_outcomes)."""
    lived, n = world.pathways, len(world.options.programmes)
    total, count = np.zeros((n, len(OUTCOMES))), np.zeros(n)
    for month in ENTRY_MONTHS:
        enters = np.flatnonzero(lived.entry == month)
        others = np.flatnonzero(world.eligible(month) & (lived.entry != month))
        at = month + NAIVE_MONTH
        elsewhere = _outcomes(lived, others, np.full(others.size, at), NAIVE_MONTH).mean(axis=1)
        outcomes = _outcomes(lived, enters, np.full(enters.size, at), NAIVE_MONTH)
        gaps = outcomes - elsewhere[:, None]
        for i, gap in enumerate(gaps):
            total[:, i] += np.bincount(lived.programme[enters], gap, minlength=n)
        count += np.bincount(lived.programme[enters], minlength=n)
    return np.asarray(total / count[:, None])


def _effects_frame(options: Departement, sums: _Sums) -> pd.DataFrame:
    """Averages and their simulation errors, one row per programme, outcome and month."""
    count = sums.count[:, None, None]
    # No entrant or a single one has no average or no spread: NaN, not a warning.
    with np.errstate(invalid="ignore", divide="ignore"):
        value = sums.total / count
        variance = np.maximum(sums.square / count - value**2, 0) * count / (count - 1)
        error = np.sqrt(variance / count)
    return _frame(options, MONTHS, value=value, error=error, count=sums.count)


def _naive_frame(options: Departement, contrasts: Floats, count: Floats) -> pd.DataFrame:
    """Unmatched contrasts averaged over blocks; blocks are independent replications."""
    error = contrasts.std(axis=0, ddof=1) / np.sqrt(len(contrasts))
    value = contrasts.mean(axis=0)
    return _frame(
        options, (NAIVE_MONTH,), value=value[..., None], error=error[..., None], count=count
    )


def _frame(
    options: Departement, months: tuple[int, ...], *, value: Floats, error: Floats, count: Floats
) -> pd.DataFrame:
    """Tidy figures from arrays of shape (n_programmes, n_outcomes, n_months)."""
    rows = [
        (p.accompaniment.value, outcome, month, unit, value[k, i, j], error[k, i, j], int(count[k]))
        for k, p in enumerate(options.programmes)
        for i, (outcome, unit) in enumerate(OUTCOMES.items())
        for j, month in enumerate(months)
    ]
    names = ["accompaniment", "outcome", "month", "unit", "value", "std_error", "n"]
    return pd.DataFrame(rows, columns=names).round({"value": DIGITS, "std_error": DIGITS})


def truth_to_json(truth: Truth) -> str:
    """Text of ``truth.json``: parameters, estimand in words, and one figure a line."""
    options = asdict(truth.options)
    programmes = options.pop("programmes")
    head = {
        "about": "Effects known by construction in the simulated departement beside this file.",
        "estimand": ESTIMAND,
        "outcomes": DEFINITIONS,
        "naive_contrast": NAIVE,
        "market_tightness": tightness(truth.options.n_markets).tolist(),
        "n_persons": truth.n_persons,
        "options": options,
    }
    figures = ("population", "sample", "naive")
    tables = {"programmes": programmes} | {k: getattr(truth, k).to_dict("records") for k in figures}
    parts = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    for key, rows in tables.items():
        lines = ",\n".join(json.dumps(_without_nan(row)) for row in rows)
        parts.append(f"{json.dumps(key)}: [\n{lines}\n]")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def read_truth(path: Path | str) -> Truth:
    """Read a ``truth.json`` back."""
    held = json.loads(Path(path).read_text(encoding="utf-8"))
    programmes = tuple(
        Programme(
            **_with_tuples(p)
            | {
                "accompaniment": Accompaniment(p["accompaniment"]),
                "selection": Selection(**_with_tuples(p["selection"])),
            }
        )
        for p in held["programmes"]
    )
    return Truth(
        options=Departement(**held["options"], programmes=programmes),
        n_persons=held["n_persons"],
        population=pd.DataFrame(held["population"]).astype({"value": float, "std_error": float}),
        sample=pd.DataFrame(held["sample"]).astype({"value": float}),
        naive=pd.DataFrame(held["naive"]).astype({"value": float, "std_error": float}),
    )


def _without_nan(row: dict[Hashable, Any]) -> dict[Hashable, Any]:
    return {k: None if isinstance(v, float) and np.isnan(v) else v for k, v in row.items()}


def _with_tuples(fields: dict[str, Any]) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}
