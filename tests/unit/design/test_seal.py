"""A design fixed before its outcomes: what is written, what is refused, what a seal attests."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hand import panel, records, spell
from whatworks import Design, NearestNeighbours, Panel, Question, WhatworksError, compare
from whatworks.design.compare import choose
from whatworks.design.looking.histories import histories
from whatworks.estimate import MatchedDifference

PERSONS = [f"p{i:02d}" for i in range(40)]
ENTRANTS = PERSONS[:12]
QUESTION = Question(
    treatment="job_search",
    outcome="employment_presence",
    months=(2,),
    covariates=("employment.lag1", "employment.months3"),
)
NEAREST = NearestNeighbours(ratio=1, metric="propensity")


def made(*, shift: int = 0) -> Panel:
    """Twelve enter in June 2020; a third of all work until May, the entrants again from August."""
    working = [
        spell(p, "employment", "cdd", "2020-02-01", f"2020-0{5 if k % 2 else 4}-28")
        for k, p in enumerate(PERSONS)
        if k % 3 == 0
    ]
    again = [spell(p, "employment", "cdi", "2020-08-01", None) for p in ENTRANTS]
    start = [
        spell(p, "accompaniment", "job_search", f"2020-0{6 + shift}-10", None) for p in ENTRANTS
    ]
    return panel(records(PERSONS, episodes=[*working, *again, *start]))


@pytest.fixture(scope="module")
def known() -> Panel:
    return made()


@pytest.fixture(scope="module")
def chosen(known: Panel) -> Design:
    return choose(known, QUESTION, using=NEAREST)


def test_choosing_opens_no_outcome(chosen: Design) -> None:
    assert chosen.outcomes.months == ()
    assert chosen.outcomes.values.shape == (len(chosen.units), 0)
    assert chosen.seal is None
    assert not chosen.balance().empty


def test_no_method_fits_what_nobody_has_opened(chosen: Design) -> None:
    with pytest.raises(WhatworksError, match=r"design\.open\(panel\)"):
        MatchedDifference().fit(chosen)


def test_comparing_is_choosing_sealing_then_opening(known: Panel, chosen: Design) -> None:
    both = compare(known, QUESTION, using=NEAREST)
    later = chosen.open(known)

    assert both.seal == later.seal == chosen.sealed().seal
    assert both.seal is not None
    assert both.seal.before_outcomes
    np.testing.assert_array_equal(both.outcomes.values, later.outcomes.values)
    assert both.supplies == later.supplies


def test_a_saved_design_comes_back_as_it_was(known: Panel, chosen: Design, tmp_path: Path) -> None:
    dated = chosen.sealed(date="2020-12-31")
    dated.save(tmp_path / "design")
    back = Design.load(tmp_path / "design")

    assert back.seal == dated.seal
    assert back.question == chosen.question
    pd.testing.assert_frame_equal(back.units, chosen.units)
    assert back.matches is not None
    assert chosen.matches is not None
    pd.testing.assert_frame_equal(back.matches, chosen.matches)
    pd.testing.assert_frame_equal(back.balance(), chosen.balance())
    assert back.ledger == chosen.ledger
    assert len(back.fitted) == len(chosen.fitted)
    for ours, theirs in zip(back.fitted, chosen.fitted, strict=True):
        np.testing.assert_array_equal(ours.information(), theirs.information())
    one, other = back.open(known), chosen.open(known)
    np.testing.assert_array_equal(one.outcomes.values, other.outcomes.values)
    assert one.seal == dated.seal


def test_an_opened_design_keeps_its_seal_and_saves_no_outcome(
    known: Panel, chosen: Design, tmp_path: Path
) -> None:
    opened = chosen.open(known)
    opened.save(tmp_path / "after")
    assert not Design.load(tmp_path / "after").outcomes.opened
    assert Design.load(tmp_path / "after").seal == opened.seal


def test_a_seal_set_once_outcomes_are_there_says_so(known: Panel, chosen: Design) -> None:
    late = replace(chosen.open(known), seal=None).sealed().seal
    assert late is not None
    assert not late.before_outcomes


def test_the_same_choice_has_the_same_digest_and_another_question_another(known: Panel) -> None:
    digests = [
        choose(known, question, using=NEAREST).sealed(date=day).seal.digest  # type: ignore[union-attr] # sealed
        for question, day in (
            (QUESTION, "2020-01-01"),
            (QUESTION, "2021-01-01"),
            (replace(QUESTION, title="another"), "2020-01-01"),
        )
    ]
    assert digests[0] == digests[1] != digests[2]
    assert len(digests[0]) == 64


@pytest.mark.parametrize("file", ["units.parquet", "matches.parquet"])
def test_columns_changed_after_the_seal_are_refused_by_name(
    chosen: Design, tmp_path: Path, file: str
) -> None:
    place = chosen.save(tmp_path / "design")
    table = pd.read_parquet(place / file)
    table.loc[0, "weight"] = table.loc[0, "weight"] * 2
    table.to_parquet(place / file, index=False)
    with pytest.raises(WhatworksError, match=f"'{file}' whose digest is another"):
        Design.load(place)


def test_a_record_changed_after_the_seal_is_refused(chosen: Design, tmp_path: Path) -> None:
    place = chosen.save(tmp_path / "design")
    record = json.loads((place / "design.json").read_text("utf-8"))
    record["question"]["title"] = "what we would rather have asked"
    (place / "design.json").write_text(json.dumps(record), "utf-8")
    with pytest.raises(WhatworksError, match=r"'design\.json' whose digest is another"):
        Design.load(place)


def test_a_file_that_is_gone_is_told(chosen: Design, tmp_path: Path) -> None:
    place = chosen.save(tmp_path / "design")
    (place / "units.parquet").unlink()
    with pytest.raises(WhatworksError, match=r"a design written by Design\.save, whole"):
        Design.load(place)


def test_nothing_is_written_over(chosen: Design, tmp_path: Path) -> None:
    place = chosen.save(tmp_path / "design")
    before = {p.name: p.read_bytes() for p in place.iterdir()}
    with pytest.raises(WhatworksError, match="never written over"):
        chosen.save(place)
    assert {p.name: p.read_bytes() for p in place.iterdir()} == before
    assert [p.name for p in tmp_path.iterdir()] == ["design"]


def test_weights_changed_in_memory_break_the_seal(known: Panel, chosen: Design) -> None:
    sealed = chosen.sealed()
    changed = replace(sealed, units=sealed.units.assign(weight=sealed.units["weight"] * 2))
    with pytest.raises(WhatworksError, match="seal of the design"):
        changed.open(known)


def test_another_panel_is_refused(chosen: Design) -> None:
    with pytest.raises(WhatworksError, match="0 persons it does not hold, 12 entries"):
        chosen.open(made(shift=2))
    with pytest.raises(WhatworksError, match="persons it does not hold"):
        chosen.open(panel(records(PERSONS[:5])))


def test_outcomes_are_opened_once(known: Panel, chosen: Design) -> None:
    with pytest.raises(WhatworksError, match="already attached"):
        chosen.open(known).open(known)


def test_a_design_of_a_table_has_no_panel_to_open(known: Panel, tmp_path: Path) -> None:
    table = pd.DataFrame(
        {"t": [1, 0, 1, 0], "y": [1.0, 2, 3, 4], "x": [0.0, 0, 1, 1], "zone": ["a", None, "b", "a"]}
    )
    design = Design.from_cross_section(
        table, treatment="t", outcome="y", covariates=["x"], market=None
    )
    place = design.save(tmp_path / "table")
    back = Design.load(place)
    assert back.seal is not None
    assert not back.seal.before_outcomes
    with pytest.raises(WhatworksError, match="one made from a table"):
        back.open(known)


def test_shares_before_entry_are_those_counted(known: Panel, chosen: Design) -> None:
    # Everyone but the entrants stands in June: 12 entrants, up to 12 comparisons.
    table = histories(known, chosen.units)
    units = chosen.units
    may = table[(table["state"] == "employment") & (table["month"] == -1)].iloc[0]
    for arm, name in ((True, "treated"), (False, "comparison")):
        side = units[units["treated"] == arm]
        working = side["weight"] * (side["employment.lag1"] > 0)
        persons = side.groupby("person_id")["employment.lag1"].max() > 0
        counted = int(persons.sum())
        if 11 <= counted <= len(persons) - 11 or counted in (0, len(persons)):
            assert may[name] == pytest.approx(working.sum() / side["weight"].sum())
        else:
            assert np.isnan(may[name])
    assert table["month"].between(-24, -1).all()
    entered = table[table["state"] == "accompaniment"]
    assert (entered["treated"].dropna() == 0).all()


def test_what_rests_on_few_persons_is_hidden(known: Panel, chosen: Design) -> None:
    few = chosen.units.iloc[:8].assign(treated=[True, False] * 4)
    assert histories(known, few)[["treated", "comparison", "smd"]].isna().all().all()
