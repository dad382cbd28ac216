"""Reference of the case ``spillover_rings``: SpilloverDiD of diff-diff 3.13.0, errors clustered by unit.

Run from ``tests/oracles`` in an environment of its own: ``pip install diff-diff==3.13.0``. Input: 160
simulated places in a square of side 100, 16 of them treated from period 4 or 6.
"""

import pandas as pd
from diff_diff.spillover import SpilloverDiD

table = pd.read_csv("spillover_rings/input.csv")
rows = []
for dynamic in (False, True):
    method = SpilloverDiD(
        rings=[0.0, 8.0, 16.0],
        conley_coords=("lat", "lon"),
        conley_metric="euclidean",
        cluster="u",
        event_study=dynamic,
    )
    found = method.fit(table, outcome="y", unit="u", time="t", first_treat="g")
    if not dynamic:
        rows.append(("att", "", found.att, found.se))
        for ring, row in found.spillover_effects.iterrows():
            rows.append(("spillover", f"ring={ring.split(',')[0][1:]}", row["coef"], row["se"]))
        continue
    for month, told in found.event_study_effects.items():
        if month >= 0:
            rows.append(("att_dynamic", f"month={month}", told["effect"], told["se"]))
    for (ring, month), row in found.spillover_effects.iterrows():
        if month >= 0:
            args = f"ring={ring.split(',')[0][1:]};month={month}"
            rows.append(("spillover_dynamic", args, row["coef"], row["se"]))
reference = pd.DataFrame(rows, columns=["quantity", "args", "value", "se"])
reference.to_csv("spillover_rings/reference.csv", index=False)
