"""The simulated département: what moves what, and what a comparison can find in it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from whatworks.errors import OptionError
from whatworks.worlds import PROGRAMMES, Departement, DepartementWorld, simulate
from whatworks.worlds.chances import Draws, Stream
from whatworks.worlds.departement import monthly_draws
from whatworks.worlds.pathways import follow
from whatworks.worlds.population import draw_persons
from whatworks.worlds.programmes import ENTRY_MONTHS, HISTORY, WINDOW
from whatworks.worlds.truth import compute_truth

FEW = Departement(n_persons=3_000, seed=11)
MANY = Departement(n_persons=200_000, seed=12)
COUNTERS = {Stream.ENTRY, Stream.STAY, Stream.ENTRY_DAY}


@pytest.fixture(scope="module")
def many() -> DepartementWorld:
    return simulate(MANY)


def lived(options: Departement, *, changed: Draws | None = None):
    """Pathways of one seed, some uniforms replaced by those ``changed`` gives (NaN: kept)."""
    rng = np.random.Generator(np.random.PCG64(options.seed))
    persons = draw_persons(options, rng)
    own = monthly_draws(rng, n_persons=options.n_persons)

    def draws(month: int):
        u = own(month)
        if changed is None:
            return u
        other = changed(month)
        return np.where(np.isnan(other), u, other)

    return follow(options, persons, draws)


def test_same_seed_same_world_and_other_seed_another():
    once, twice, other = simulate(FEW), simulate(FEW), simulate(replace(FEW, seed=12))
    for name in ("employed", "durable", "rsa", "entry", "programme", "stay", "entry_day"):
        assert np.array_equal(getattr(once.pathways, name), getattr(twice.pathways, name))
    assert not np.array_equal(once.pathways.employed, other.pathways.employed)


@pytest.mark.parametrize("month", [HISTORY, HISTORY + 5, HISTORY + 11])
def test_entries_see_only_what_came_before_their_month(month):
    """Every chance of work and RSA from the month on, and all chances after it, are redrawn."""
    foreign = np.random.default_rng(0)

    def changed(at: int):
        u = foreign.random((len(Stream), FEW.n_persons))
        if at < month:
            u[:] = np.nan
        elif at == month:
            u[list(COUNTERS)] = np.nan
        return u

    kept, redrawn = lived(FEW), lived(FEW, changed=changed)
    upto = (kept.entry >= 0) & (kept.entry <= month)
    assert upto.any()
    assert np.array_equal(upto, (redrawn.entry >= 0) & (redrawn.entry <= month))
    for name in ("entry", "programme", "stay", "entry_day"):
        assert np.array_equal(getattr(kept, name)[upto], getattr(redrawn, name)[upto])
    assert not np.array_equal(kept.employed[month], redrawn.employed[month])


def test_only_the_eligible_enter_and_only_once_in_the_entry_months(many):
    pathways = many.pathways
    who = np.flatnonzero(pathways.entry >= 0)
    assert np.isin(pathways.entry[who], ENTRY_MONTHS).all()
    assert pathways.rsa[pathways.entry[who] - 1, who].all()
    for k, programme in enumerate(many.options.programmes):
        stays = pathways.stay[pathways.programme == k]
        assert (stays.min(), stays.max()) == programme.stay
    eligible = sum(int(many.eligible(m).sum()) for m in ENTRY_MONTHS)
    assert eligible > who.size
    assert all(many.eligible(m)[pathways.entry == m].all() for m in ENTRY_MONTHS)


def test_levels_are_those_announced(many):
    shares = {k: n / MANY.n_persons for k, n in many.entrants().items()}
    assert set(shares) == {p.accompaniment.value for p in PROGRAMMES}
    assert all(0.045 < share < 0.055 for share in shares.values()), shares
    assert 0.6 < many.pathways.rsa[:6].mean() < 0.7
    assert 0.2 < many.pathways.employed.mean() < 0.35
    assert many.pathways.durable.sum() < many.pathways.employed.sum()
    assert not (many.pathways.durable & ~many.pathways.employed).any()


def test_tight_markets_give_more_work(many):
    market = many.persons.market
    rates = [many.pathways.employed[:, market == m].mean() for m in range(5)]
    assert rates == sorted(rates)
    assert rates[-1] - rates[0] > 0.08


def cells(world: DepartementWorld, month: int) -> np.ndarray:
    """Number of the cell in which persons of a month look alike to the operator."""
    employed, persons = world.pathways.employed, world.persons
    months12 = employed[month - 12 : month].sum(axis=0)
    parts = [
        (np.searchsorted([1, 4, 7], months12, side="right"), 4),
        (employed[month - 1].astype(int), 2),
        (persons.woman, 2),
        (persons.age_group, 3),
        (persons.education, 5),
        (persons.market, 5),
    ]
    number = np.zeros(persons.woman.size, dtype=np.int64)
    for values, size in parts:
        number = number * size + values
    return number


def compared(world: DepartementWorld, value, k: int) -> tuple[float, float]:
    """Mean gap between entrants of a type and those not yet started of their month and cell.

    ``value(month)`` is what is compared; returns the gap and its standard error.
    """
    gaps, weights = [], []
    for month in ENTRY_MONTHS:
        cell, y = cells(world, month), value(month)
        others = world.eligible(month) & (world.pathways.entry != month)
        size = np.bincount(cell[others], minlength=1_200)
        mean = np.bincount(cell[others], y[others], minlength=1_200) / np.maximum(size, 1)
        enters = (world.pathways.entry == month) & (world.pathways.programme == k)
        enters &= size[cell] > 0
        gaps.append(y[enters] - mean[cell[enters]])
        weights.append(1 + 1 / size[cell[enters]])
    gap = np.concatenate(gaps)
    return float(gap.mean()), float(gap.std() * np.sqrt(np.concatenate(weights).mean() / gap.size))


@pytest.mark.parametrize("k", range(6))
def test_frailty_does_not_enter_the_choice_given_what_is_seen(many, k):
    gap, error = compared(many, lambda _: many.persons.frailty, k)
    assert abs(gap) < 4 * error
    # It does move employment, so that a choice made on it would have shown.
    assert np.corrcoef(many.persons.frailty, many.pathways.employed.mean(axis=0))[0, 1] > 0.3


@pytest.fixture(scope="module")
def truth():
    return compute_truth(MANY, n_persons=200_000, block=50_000)


@pytest.mark.parametrize("k", range(6))
def test_matching_on_history_and_covariates_finds_the_truth(many, truth, k):
    name = PROGRAMMES[k].accompaniment.value
    gap, error = compared(many, lambda m: 100.0 * many.pathways.employed[m + 24], k)
    figures = truth.population.set_index(["accompaniment", "outcome", "month"])
    told = figures.loc[(name, "employment_presence", 24)]
    assert abs(gap - told["value"]) < 4 * np.hypot(error, told["std_error"])


def test_without_effects_no_life_of_work_differs():
    idle = compute_truth(FEW.without_effects(), n_persons=20_000, block=10_000).population
    work = idle[idle["outcome"] != "rsa_exit"]
    assert len(work) == 6 * 3 * 4
    assert (work["value"] == 0).all()
    # Contracts of the programmes still take persons out of RSA while they last.
    exits = idle.query("outcome == 'rsa_exit' and month == 6").set_index("accompaniment")["value"]
    assert exits["aided_contract"] > 30
    assert exits["work_integration"] > 30


def test_window_and_options():
    assert (FEW.first, FEW.last, WINDOW) == ("2019-01", "2023-12", 60)
    with pytest.raises(OptionError, match="n_markets"):
        Departement(n_markets=0)
    with pytest.raises(OptionError, match="each accompaniment once"):
        Departement(programmes=(PROGRAMMES[0], PROGRAMMES[0]))


def test_one_market_and_no_programme_are_worlds_too():
    alone = simulate(Departement(n_persons=500, n_markets=1, programmes=()))
    assert alone.entrants() == {}
    assert (alone.pathways.entry == -1).all()
    assert set(alone.persons.market.tolist()) == {0}
