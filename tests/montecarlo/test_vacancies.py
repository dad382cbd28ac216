"""Filling times where the truth is known: intervals of 95 % cover it, censored files or whole.

Run with ``make montecarlo``.
"""

from __future__ import annotations

import numpy as np
import pytest

from vacancies_by_hand import Employers, truth, world
from whatworks import FillingTimes, SaturationRegression, vacancies

DRAWS = 400
DAY = 30
pytestmark = pytest.mark.montecarlo
COLUMNS = {"posted": "posted", "filled": "filled", "withdrawn": "gone", "treatment": "helped"}


@pytest.mark.parametrize("method", [FillingTimes(), SaturationRegression(restricted=())], ids=repr)
@pytest.mark.parametrize("ends", [200, 75], ids=["whole", "censored"])
def test_terms_by_share(method: FillingTimes | SaturationRegression, ends: int) -> None:
    options = Employers(n_markets=100, per_market=40, spread=0.2)
    says = truth(options, day=DAY)
    found: dict[str, list[tuple[float, float, float]]] = {term: [] for term in says}
    for seed in range(DRAWS):
        design = vacancies(
            world(Employers(seed=seed, n_markets=100, per_market=40, spread=0.2)),
            **COLUMNS,
            seen_until=ends,
            days=(15, DAY),
            employer="employer",
            market="market",
            saturation="share",
            randomised=True,
        )
        rows = method.fit(design).effects
        rows = rows[(rows["month"] == DAY) & (rows["group"] == "0.5")].set_index("term")
        for term, kept in found.items():
            kept.append(tuple(rows.loc[term, ["estimate", "conf_low", "conf_high"]]))
    for term, kept in found.items():
        points, low, high = np.array(kept, dtype=float).T
        cover = ((low <= says[term]) & (says[term] <= high)).mean()
        noise = points.std(ddof=1) / np.sqrt(DRAWS)
        print(
            f"\n{type(method).__name__}, files to day {ends}, {term}: truth {says[term]:.2f}, "
            f"mean {points.mean():.2f} ± {noise:.2f}, coverage {cover:.3f}",
            end="",
        )
        assert abs(points.mean() - says[term]) < 3 * noise
        assert 0.925 <= cover <= 0.975
