"""Real pathways: read as published, asked as any other question, answered "not established"."""

from __future__ import annotations

import pytest

from whatworks import expand, read, reconcile, study
from whatworks.errors import UsageError
from whatworks.studies import mvad
from whatworks.studies.shipped import shipped
from whatworks.vocabulary import Conclusion, DesignClass


@pytest.fixture(scope="module")
def records() -> object:
    return read(mvad.STUDY.with_name("sources.toml"))


def test_person_months_are_those_published(records: object) -> None:
    counts = records.states.group_by(["kind", "code"]).count().execute()  # type: ignore[attr-defined]
    found = {(r.kind, r.code): r[-1] for r in counts.itertuples(index=False)}
    assert found == {
        ("employment", "job"): 22_937,
        ("education", "further"): 8_331,
        ("education", "higher"): 5_980,
        ("accompaniment", "training"): 5_272,
        ("joblessness", "jobless"): 4_399,
        ("education", "school"): 4_345,
    }
    assert records.persons.weight.sum().execute() == pytest.approx(711.57, abs=0.005)  # type: ignore[attr-defined]


def test_spells_of_training_are_those_published(records: object) -> None:
    spells = reconcile(records)  # type: ignore[arg-type]
    training = spells.table.filter(spells.table["code"] == "training").execute()
    assert training["person_id"].nunique() == 257
    assert len(training) == 299
    panel = expand(spells, first="1993-07", last="1999-06")
    last = panel.table.filter(panel.table["month"] == panel.last)
    assert 100 * last["employment"].mean().execute() == pytest.approx(67.98, abs=0.005)


def test_the_honest_answer_is_not_established() -> None:
    entry = study.run(mvad.STUDY)[0]
    evidence = entry.evidence
    assert evidence.conclusion is Conclusion.NOT_ESTABLISHED
    assert evidence.design.design_class is DesignClass.MATCHED_SHORT_HISTORY
    assert "imbalance" in [d.code for d in evidence.rating.deductions]
    assert [r.code for r in evidence.conclusion_reasons]
    assert [r.what for r in evidence.refusals] == ["trainings_entered"]
    assert not evidence.displacement.measured


def test_a_package_that_is_not_there_is_named() -> None:
    with pytest.raises(UsageError, match="no_such_package"):
        shipped("no_such_package", "a.csv")
