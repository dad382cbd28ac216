"""The next experiment: how many markets, at which shares, and who is drawn.

`Assumed` says what is expected of markets and of the outcome (or reads it off a pilot), `Trial` which shares
are drawn. `detectable`, `power` and `displacement_told` say what that would tell; `allocate` and
`compare_trials` how to share markets out; `assign`, `late_arrivals` and `verify_assignment` draw, and prove
what was drawn. Nothing here reads an outcome but `Assumed.from_design`.
"""

from whatworks.planning.allocating import allocate, compare_trials, optimum
from whatworks.planning.assign import Assignment, assign, late_arrivals
from whatworks.planning.assumed import Assumed
from whatworks.planning.drawing import Rules
from whatworks.planning.sizing import detectable, displacement_told, power
from whatworks.planning.trial import Trial
from whatworks.planning.verify import Verification, verify_assignment

__all__ = [
    "Assignment",
    "Assumed",
    "Rules",
    "Trial",
    "Verification",
    "allocate",
    "assign",
    "compare_trials",
    "detectable",
    "displacement_told",
    "late_arrivals",
    "optimum",
    "power",
    "verify_assignment",
]
