"""How likely is it the same person: the model of Fellegi and Sunter (1969), estimated by Splink.

``u`` is learnt from pairs drawn at random (seeded), ``m`` by expectation-maximisation over two sets of
pairs: those born the same day, then those with the same name and first name. The weights of the levels
are added up; rarer names weigh more.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import ibis
from ibis import _

from whatworks import doors
from whatworks.errors import RefusedError
from whatworks.sources.problems import reworded
from whatworks.sources.scratch import Scratch
from whatworks.spells.linking import people
from whatworks.spells.linking.comparisons import HELPFUL, INDISPENSABLE, Comparison
from whatworks.spells.linking.keys import LEFT, RIGHT
from whatworks.spells.linking.people import NODE, SPACE, WHAT

SEED: Final = 20_240_101
"""Of the draw of pairs from which ``u`` is learnt."""
WEIGHT: Final = "match_weight"
_PAIRS_EACH: Final = 50
_FEWEST_PAIRS: Final = 500_000
_MOST_PAIRS: Final = 5_000_000
"""Pairs from which a step learns: about so many for each record, within these bounds. Chance agreement
on a birth date is then met some tens of times at least."""
_SESSIONS: Final = ((people.BIRTH,), (people.FAMILY, people.GIVEN))
"""Fields on which the pairs of each session agree; it learns of the others."""
_FEWEST_RECORDS: Final = 500
"""Records below which chance agreements are too few to count: weights are then ours, and a rare name
weighs no more than another."""
_FEWEST_MET: Final = 100
"""Pairs below which a session learns nothing."""
_FOUND_EXACTLY: Final = 0.8
"""Share of the persons in common whose name, first name and birth are written alike: only the starting
odds depend on it, and by less than one bit."""
_MOST_ODDS: Final = 0.1
_SMALLEST: Final[Mapping[str, float]] = {"m": 1e-5, "u": 1e-8}
_DIGITS: Final = 6

Parameters = Mapping[str, Sequence[tuple[float, float]]]
"""Per comparison, ``(m, u)`` of each level in order."""


def comparisons_of(table: ibis.Table) -> tuple[Comparison, ...]:
    """Comparisons that these persons allow.

    Raises
    ------
    RefusedError
        When names, first names or birth dates are not told by two spaces at least.
    """
    columns = sorted({c for comparison in (*INDISPENSABLE, *HELPFUL) for c in comparison.needs})
    known = table.group_by(SPACE).aggregate(**{c: table[c].count() for c in columns}).execute()
    told = {c for c in columns if int((known[c] > 0).sum()) >= 2}
    missing = [c.name for c in INDISPENSABLE if not told.issuperset(c.needs)]
    if missing:
        raise RefusedError(
            what="[link] probabilistic",
            needed="names, first names and birth dates told by two spaces at least",
            found=f"fewer than two spaces that tell {', '.join(missing)}",
            remedy="map those fields under identity, or write probabilistic = false and link by NIR "
            "or keys alone",
        )
    chosen = {c.name: c for c in reversed(HELPFUL) if told.issuperset(c.needs)}
    return (*INDISPENSABLE, *(c for c in HELPFUL if chosen.get(c.name) is c))


def weigh_pairs(table: ibis.Table, pairs: ibis.Table, *, scratch: Scratch) -> ibis.Table:
    """Weight of the evidence that each pair is one person.

    Parameters
    ----------
    table : ibis.Table
        As `people.gather` gives it.
    pairs : ibis.Table
        ``left_node, right_node``.
    scratch : Scratch

    Returns
    -------
    ibis.Table
        ``left_node, right_node, match_weight``: log2 of the odds that the two are one person, rounded
        to three decimals so that the order of additions leaves no trace.
    """
    splink = doors.splink()
    comparisons = comparisons_of(table)
    odds = _starting_odds(table)
    api = splink.DuckDBAPI(connection=scratch.connection.con)
    with _quiet(), reworded(WHAT):
        try:
            frame = api.register(table.op().name, table_name=scratch.name("register"))
            settings = _settings(comparisons, odds)
            if int(table.count().execute()) >= _FEWEST_RECORDS:
                learner = splink.Linker(frame, settings, log_level=None)
                learnt = _learn(learner, comparisons, table)
                settings = _settings(comparisons, odds, learnt)
            judge = splink.Linker(frame, settings, log_level=None)
            held = scratch.keep("asked", _as_splink(pairs), what=WHAT)
            asked = api.register(held.op().name, table_name=scratch.name("pairs"))
            judge.table_management.register_blocked_pairs_for_predict(asked)
            said = judge.inference.predict(warning_mode="never")
            scored = scratch.connection.table(said.physical_name)
            return scratch.keep("weights", _weights(scored), what=WHAT)
        finally:
            api.delete_tables_created_by_splink_from_db()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the library's log silent: its messages quote queries."""
    log = logging.getLogger("splink")
    before = log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        log.setLevel(before)


def _starting_odds(table: ibis.Table) -> float:
    """Probability that two persons of different spaces, drawn at random, are one."""
    fields = [people.FAMILY, people.GIVEN, people.BIRTH]
    sizes = table.group_by(SPACE).aggregate(n=_.count()).execute()["n"]
    possible = (float(sizes.sum()) ** 2 - float((sizes.astype(float) ** 2).sum())) / 2
    whole = table.filter(*(table[f].notnull() for f in fields)).distinct(on=[SPACE, *fields])
    alike = whole.group_by(fields).aggregate(n=_.count())
    found = alike.aggregate(pairs=(_.n * (_.n - 1) / 2).sum().fill_null(0)).execute()
    share = max(float(found["pairs"].iloc[0]), 1.0) / _FOUND_EXACTLY / max(possible, 1.0)
    return _rounded(min(share, _MOST_ODDS))


def _learn(learner: Any, comparisons: Sequence[Comparison], table: ibis.Table) -> Parameters:
    """Estimate every level, keeping our own values where the data show nothing of it."""
    wanted = _PAIRS_EACH * int(table.count().execute())
    pairs = min(max(wanted, _FEWEST_PAIRS), _MOST_PAIRS)
    learner.training.estimate_u_using_random_sampling(
        max_pairs=pairs, seed=SEED, min_count_per_level=None, num_chunks=1
    )
    for fields in _SESSIONS:
        if _met(table, fields) >= _FEWEST_MET:
            learner.training.estimate_parameters_using_expectation_maximisation(
                _agreeing(fields), estimate_without_term_frequencies=True, max_pairs=pairs
            )
    said = {c["output_column_name"]: c for c in learner.misc.save_model_to_json()["comparisons"]}
    learnt: dict[str, list[tuple[float, float]]] = {}
    for comparison in comparisons:
        levels = [
            level
            for level in said[comparison.name]["comparison_levels"]
            if not level.get("is_null_level")
        ]
        learnt[comparison.name] = [
            (
                own.m if own.fixed else _usable(level.get("m_probability"), own.m, "m"),
                _usable(level.get("u_probability"), own.u, "u"),
            )
            for level, own in zip(levels, comparison.levels, strict=True)
        ]
    return learnt


def _agreeing(fields: Sequence[str]) -> str:
    """Rule of a session: pairs of two spaces that agree; a 1 January agrees with too many."""
    alike = [f"l.{field} = r.{field}" for field in fields]
    if people.BIRTH in fields:
        alike += [f"{side}.{people.DEFAULT_DAY} = 0" for side in ("l", "r")]
    return " and ".join([*alike, f"l.{SPACE} <> r.{SPACE}"])


def _met(table: ibis.Table, fields: Sequence[str]) -> float:
    """Pairs under that rule."""
    told = table.filter(*(table[field].notnull() for field in fields))
    if people.BIRTH in fields:
        told = told.filter(_[people.DEFAULT_DAY] == 0)
    own = told.group_by([*fields, SPACE]).aggregate(n=_.count().cast("float64"))
    sizes = own.group_by(list(fields)).aggregate(n=_.n.sum(), own=(_.n * _.n).sum())
    pairs = sizes.aggregate(pairs=((_.n * _.n - _.own) / 2).sum().fill_null(0)).execute()
    return float(pairs["pairs"].iloc[0])


def _usable(said: object, own: float, which: str) -> float:
    number = said if isinstance(said, (int, float)) and math.isfinite(said) else own
    return _rounded(max(float(number), _SMALLEST[which]))


def _rounded(number: float) -> float:
    return float(f"{number:.{_DIGITS}g}")


def _settings(
    comparisons: Sequence[Comparison], odds: float, learnt: Parameters | None = None
) -> dict[str, Any]:
    return {
        "link_type": "dedupe_only",  # pairs are ours; all persons are in one table
        "unique_id_column_name": NODE,
        "probability_two_random_records_match": odds,
        "blocking_rules_to_generate_predictions": [],
        "retain_matching_columns": False,
        "retain_intermediate_calculation_columns": False,
        "comparisons": [
            _ladder(c, None if learnt is None else learnt[c.name]) for c in comparisons
        ],
    }


def _ladder(comparison: Comparison, learnt: Sequence[tuple[float, float]] | None) -> dict[str, Any]:
    values = learnt or [(level.m, level.u) for level in comparison.levels]
    levels: list[dict[str, Any]] = [
        {
            "sql_condition": comparison.unknown,
            "label_for_charts": "unknown",
            "is_null_level": True,
        }
    ]
    for level, (m, u) in zip(comparison.levels, values, strict=True):
        said: dict[str, Any] = {
            "sql_condition": level.condition,
            "label_for_charts": level.label,
            "m_probability": m,
            "u_probability": u,
        }
        if level.frequency and learnt is not None:
            said["tf_adjustment_column"] = level.frequency
        levels.append(said)
    return {"output_column_name": comparison.name, "comparison_levels": levels}


def _as_splink(pairs: ibis.Table) -> ibis.Table:
    return pairs.select(
        match_key=ibis.literal("0"), join_key_l=pairs[LEFT], join_key_r=pairs[RIGHT]
    )


def _weights(scored: ibis.Table) -> ibis.Table:
    left, right = scored[f"{NODE}_l"], scored[f"{NODE}_r"]
    return scored.select(
        **{
            LEFT: ibis.least(left, right),
            RIGHT: ibis.greatest(left, right),
            WEIGHT: scored[WEIGHT].round(3),
        }
    )
