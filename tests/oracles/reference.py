"""Reading of the reference files."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

HERE = Path(__file__).parent


def reference(case: str, name: str = "reference.csv") -> pd.DataFrame:
    """Reference with its arguments as columns."""
    table = pd.read_csv(HERE / case / name)
    args = [
        dict(pair.split("=", 1) for pair in row.split(";") if "=" in pair)
        for row in table["args"].fillna("")
    ]
    return pd.concat([table, pd.DataFrame(args)], axis=1)


def data(case: str) -> pd.DataFrame:
    """Input as R read it."""
    return pd.read_csv(HERE / case / "input.csv")
