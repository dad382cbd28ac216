"""Ledger, months, errors, names exported."""

from __future__ import annotations

import pickle
import subprocess
import sys

import pytest

import whatworks
from whatworks.errors import OptionError, SourceRefused, UsageError, choice
from whatworks.ledger import Ledger, Step
from whatworks.months import to_index, to_label


def test_a_step_that_does_not_balance_cannot_be_written() -> None:
    with pytest.raises(ArithmeticError, match="does not balance"):
        Step(room="sources", name="a", unit="rows", before=10, after=8, dropped=(("x", 1),))
    ledger = Ledger().add("sources", "a", unit="rows", before=10, dropped={"x": 2, "y": 0})
    assert ledger.steps[0].after == 8
    assert ledger.frame()["dropped"].tolist() == [2]


def test_months_are_consecutive_integers() -> None:
    assert to_index("2020-01") - to_index("2019-12") == 1
    assert to_label(to_index("1999-06")) == "1999-06"
    with pytest.raises(UsageError, match="YYYY-MM"):
        to_index("2020-13")


def test_errors_say_four_things_and_survive_a_process() -> None:
    error = SourceRefused(what="a.csv", needed="rows", found="none", remedy="ask again")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert str(again) == str(error) == "a.csv: needed rows; found none. To do: ask again."
    assert (error.exit_code, UsageError.exit_code) == (3, 2)
    with pytest.raises(OptionError, match="write 'french'"):
        choice("frnch", ("french", "english"), what="lang")


def test_every_exported_name_exists_and_importing_costs_little() -> None:
    for name in whatworks.__all__:
        assert getattr(whatworks, name) is not None
    with pytest.raises(AttributeError):
        whatworks.no_such_name  # noqa: B018 - the access is the test
    code = (
        "import sys, whatworks; print([m for m in ('pandas', 'ibis', 'dowhy') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
