"""From identities to the gate: what the linking of persons says of itself arrives where it is judged."""

from __future__ import annotations

from pathlib import Path

import pytest

import hand
from identities import known, who
from whatworks import link
from whatworks.indicators import assess
from whatworks.panel import build, expand, open_panel
from whatworks.sources.mapping.people import Linkage
from whatworks.sources.records import Records
from whatworks.spells import reconcile
from whatworks.vocabulary import GateVerdict

VARIABLE = "WHATWORKS_TEST_SECRET"
WINDOW = {"first": "2020-01", "last": "2020-12"}


@pytest.fixture
def linked(monkeypatch: pytest.MonkeyPatch) -> Records:
    """60 persons of the fund, of whom 30 enter; the employment service knows all but 3 entrants."""
    monkeypatch.setenv(VARIABLE, "correct horse battery staple")
    number = [f"2550814168{k:03d}" for k in range(1, 61)]
    rows = [who(f"caf:{k}", nir=number[k]) for k in range(60)]
    rows += [who(f"ft:{k}", nir=number[k]) for k in range(3, 60)]
    stays = [
        hand.spell(f"caf:{k}", "accompaniment", "job_search", "2020-04-01", None) for k in range(30)
    ]
    stays += [hand.spell(f"ft:{k}", "employment", "cdi", "2020-02-01", None) for k in range(3, 60)]
    options = Linkage(secret_env=VARIABLE, probabilistic=False)
    return link(known(rows, episodes=stays), linkage=options)


def test_shares_of_persons_linked_reach_the_gate_from_the_engine_and_from_files(
    linked: Records, tmp_path: Path
) -> None:
    held = expand(reconcile(linked), **WINDOW)
    build(linked, tmp_path, **WINDOW, block_persons=7)
    for made in (held, open_panel(tmp_path)):
        assert made.n_persons == 60
        contracts = made.table.filter(made.table.employment_cdi > 0)
        assert contracts.person_id.nunique().execute() == 57
        found = assess(made, "employment_presence")
        criteria = found.criteria.set_index("criterion")
        assert criteria.loc["unlinked", "measured"] == pytest.approx(3 / 60)
        assert criteria.loc["unlinked", "verdict"] == GateVerdict.PUBLISHED  # 95 %, not less
        assert criteria.loc["unlinked_gap", "measured"] == pytest.approx(3 / 30)
        assert criteria.loc["false_links", "measured"] == 0
        assert [r.code for r in found.refusals] == ["unlinked_gap"]
        assert found.refusals[0].where.endswith("job_search")
        cells = found.cells[found.cells["criterion"] == "unlinked_gap"].set_index("arm")
        assert cells["persons"].to_dict() == {"job_search": 30, "none": 30}
        assert cells["measured"].to_dict() == pytest.approx({"job_search": 0.1, "none": 0.0})
