"""What the linking of persons says of itself, where a panel carries it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pandas as pd

from whatworks.panel.record import Panel
from whatworks.sources.records import Linked

ARM: Final = "arm"
ALL: Final = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Persons, those linked, and the estimated share of false links among them."""

    persons: int
    linked: int
    false_link_rate: float | None


def _rates(panel: Panel) -> pd.DataFrame:
    linked: Linked | None = panel.linked
    columns = ["by", "group", "persons", "linked", "link_rate", "false_link_rate"]
    return pd.DataFrame(columns=columns) if linked is None else linked.rates


def overall(panel: Panel) -> Rates | None:
    """Rates over everyone, None when persons were not linked."""
    rates = _rates(panel)
    whole = rates[rates["by"] == ALL]
    if whole.empty or whole["linked"].isna().any():
        return None
    false = whole["false_link_rate"].iloc[0]
    return Rates(
        persons=int(whole["persons"].sum()),
        linked=int(whole["linked"].sum()),
        false_link_rate=None if pd.isna(false) else float(false),
    )


def by_arm(panel: Panel) -> pd.DataFrame:
    """Rates of each arm, ``group, persons, link_rate``, counts too small to be shown left out."""
    rates = _rates(panel)
    return rates[(rates["by"] == ARM) & rates["link_rate"].notna()]
