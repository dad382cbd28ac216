"""The simulated register: known persons, the faults asked for, the same from the same seed."""

from __future__ import annotations

import numpy as np
import pandas as pd

from whatworks.worlds.civil_register import key_of
from whatworks.worlds.identities import (
    COLUMNS,
    SYSTEMS,
    Faults,
    Register,
    simulate_register,
)

NONE = Faults(
    nir_missing=0, nir_wrong=0, typo=0, default_date=0, swapped_date=0, wrong_date=0,
    swapped_names=0, truncated=0, part_of_name=0, moved=0, contact=1, changed_contact=0,
)  # fmt: skip


def drawn(seed: int = 1, faults: Faults | None = None) -> Register:
    return simulate_register(2_000, rng=np.random.default_rng(seed), faults=faults)


def test_the_same_seed_gives_the_same_register() -> None:
    pd.testing.assert_frame_equal(drawn().identities, drawn().identities)
    assert not drawn(2).identities.equals(drawn().identities)


def test_each_system_knows_a_person_once_and_each_row_is_somebody() -> None:
    made = drawn()
    assert list(made.identities.columns) == list(COLUMNS)
    assert set(made.identities["space"]) == set(SYSTEMS)
    assert made.identities["person_id"].is_unique
    rows = made.identities.merge(made.truth, on="person_id", validate="one_to_one")
    assert not rows.duplicated(["space", "person"]).any()


def test_without_faults_a_person_is_born_once_and_every_nir_has_its_key() -> None:
    made = drawn(faults=NONE)
    rows = made.identities.merge(made.truth, on="person_id")
    assert (rows.groupby("person")[["birth_date", "nir", "commune"]].nunique() == 1).all(axis=None)
    assert all(nir[13:] == key_of(nir[:13]) for nir in rows["nir"])


def test_faults_come_as_often_as_asked() -> None:
    faults = Faults(nir_missing=0.5, default_date=0.2)
    rows = drawn(faults=faults).identities
    assert abs(rows["nir"].isna().mean() - 0.5) < 0.03
    days = pd.to_datetime(rows["birth_date"])
    assert abs(((days.dt.month == 1) & (days.dt.day == 1)).mean() - 0.2) < 0.03
