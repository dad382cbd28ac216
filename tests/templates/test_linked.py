"""Two templates in one mapping: the family fund and the département's tool know the same persons."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from templates.sample import SAMPLES, listed, records
from whatworks.sources import read, templates
from whatworks.sources.mapping import Linkage
from whatworks.spells.link import link

VARIABLE = "WHATWORKS_TEST_SECRET"
PARTNERS = 24
"""First number of the persons whom the fund knows under the matricule of somebody else."""


@pytest.fixture
def both(tmp_path: Path) -> Path:
    """A mapping of the two templates, one after the other, beside the files of both."""
    for name in ("cnaf_rsa_xml", "rdv_insertion"):
        for file in (SAMPLES / name).iterdir():
            shutil.copy(file, tmp_path)
    _, _, users = templates.text("rdv_insertion").partition("[sources.users]")
    mapping = tmp_path / "both.toml"
    text = f"{templates.text('cnaf_rsa_xml')}\n[sources.users]{users}"
    mapping.write_text(text, encoding="utf-8")
    return mapping


def test_matricules_link_whatever_became_of_their_zeros(
    both: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By NIR where both have it, else by matricule and birth date; partners have another matricule."""
    monkeypatch.setenv(VARIABLE, 40 * "x")
    linkage = Linkage(
        secret_env=VARIABLE, keys=(("affiliation", "birth_date"),), probabilistic=False
    )
    linked = link(read(both), linkage=linkage)
    assert linked.linked is not None
    known = listed(records("cnaf_rsa_xml").persons, "person_id")
    claimants = [person for person in range(PARTNERS) if is_known(person, known)]
    # Partners of the households 0, 8 and 16; both files hold the NIR of odd persons.
    partners = [24 + k for k, home in enumerate((0, 8, 16)) if home in claimants]
    odd = [person for person in (*claimants, *partners) if person % 2]
    methods = Counter(
        method for space, method in listed(linked.linked.links, "space", "method") if space == "caf"
    )
    assert methods == {
        "nir": len(odd),
        "key:affiliation+birth_date": len([person for person in claimants if person % 2 == 0]),
        "alone": len([person for person in partners if person % 2 == 0]),
    }
    assert len(known) == len(claimants) + len(partners)


def is_known(person: int, known: list[tuple[object, ...]]) -> bool:
    return any(str(p).startswith(f"caf:{12_000 + 35 * person}|") for (p,) in known)
