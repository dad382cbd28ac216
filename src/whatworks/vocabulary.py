"""Words of the product, each spelled once: columns, kinds of spell, capabilities and verdicts.

Everything a room says to another passes through the names below, so that a
typo is an ``AttributeError`` here and not an empty column three rooms further.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Literal

# --- columns shared by several products -------------------------------------------------
PERSON: Final = "person_id"
MONTH: Final = "month"
MARKET: Final = "market"
SOURCE: Final = "source"
KIND: Final = "kind"
CODE: Final = "code"
START: Final = "start"
END: Final = "end"
DAYS: Final = "days"
OPEN: Final = "open_ended"
SCHEME: Final = "scheme"
INTENSITY: Final = "intensity"
MEASURE: Final = "measure"
VALUE: Final = "value"
FIRST: Final = "first"
LAST: Final = "last"
COMMUNE: Final = "commune"
ZONE: Final = "zone"
DEPARTEMENT: Final = "departement"
TIGHTNESS: Final = "tightness"
HOUSEHOLD: Final = "household"

UNIT: Final = "unit_id"
TREATED: Final = "treated"
ENTRY_MONTH: Final = "entry_month"
WEIGHT: Final = "weight"
SAMPLING: Final = "sampling_weight"
MATCHED_SET: Final = "matched_set"
PROPENSITY: Final = "propensity"
STRATUM: Final = "stratum"
SATURATION: Final = "saturation"
DOSE: Final = "dose"
TOOK_PART: Final = "took_part"
ELIGIBLE: Final = "may_take_part"
MATCH: Final = "match_id"

NONE: Final = "none"
"""State code of a person-month in which a source was read and saw nothing."""


class Kind(StrEnum):
    """What a spell is a spell of. A mapping file assigns one to each source."""

    EMPLOYMENT = "employment"
    BENEFIT = "benefit"
    ACCOMPANIMENT = "accompaniment"
    EDUCATION = "education"
    JOBLESSNESS = "joblessness"


class Accompaniment(StrEnum):
    """The six types of accompaniment; further levers are declared in the same column."""

    JOB_SEARCH = "job_search"
    AIDED_CONTRACT = "aided_contract"
    WORK_INTEGRATION = "work_integration"
    SOCIAL_PARTICIPATION = "social_participation"
    ACCESS_TO_RIGHTS = "access_to_rights"
    INTENSIVE_INTEGRATED = "intensive_integrated"


class Versus(StrEnum):
    """Who the entrants of a month are compared with."""

    NOT_YET_STARTED = "not_yet_started"
    NO_ACCOMPANIMENT = "no_accompaniment"
    NEVER_IN_WINDOW = "never_in_window"


CONDITIONS_ON_THE_FUTURE: Final = "conditions_on_the_future"
"""Caution on a design whose comparisons were told apart by what became of them later."""


class Clock(StrEnum):
    """What the months of outcomes are counted on."""

    ENTRY = "entry"
    CALENDAR = "calendar"
    POSTING = "posting"
    """Days since a vacancy was posted."""


NEVER: Final = 2**31 - 1
"""Entry month of a unit that is never treated."""

Control = Literal["not_yet_treated", "never_treated"]
CONTROLS: Final = ("not_yet_treated", "never_treated")
"""Whom units that start are compared with: those that start later count until they do, or not at all."""


class LaterStarts(StrEnum):
    """What becomes of a comparison that starts later."""

    KEEP = "keep"
    CENSOR = "censor"


class Estimand(StrEnum):
    """Over whom an effect is averaged."""

    ATT = "ATT"
    ATC = "ATC"
    ATE = "ATE"
    ATO = "ATO"


class Supply(StrEnum):
    """What a design can offer to a method. A method lists what it ``needs`` in these words."""

    MATCHES = "matches"
    WEIGHTS = "weights"
    COVARIATES = "covariates"
    PRE_MONTHS = "pre_months"
    ROLLOUT = "rollout"
    """One row per unit, outcomes by calendar period, and the period of first treatment."""
    NEVER_TREATED = "never_treated"
    COHORTS = "cohorts"
    """A rollout stacked: ``entry_month`` is the cohort a unit is in or is compared with."""
    DOSE = "dose"
    """How much of the treatment each treated unit received."""
    INDEPENDENT_UNITS = "independent_units"
    MARKETS = "markets"
    """Where each unit competes for jobs."""
    SATURATION = "saturation"
    """The share of each market under treatment, and it varies."""
    DRAWN_SATURATION = "drawn_saturation"
    """That share was drawn at random, and who is assigned within a market too."""
    TAKE_UP = "take_up"
    """Who took part, beside who was assigned."""
    COMPETITION = "competition"
    """How much each market's seekers compete with those of each other market."""
    ENDINGS = "endings"
    """When the wait of each unit ended, and how."""


class HireOrigin(StrEnum):
    """Where the person hired on a vacancy came from. Only the first makes one job more."""

    UNEMPLOYED = "unemployed"
    POACHED = "poached"
    ANYWAY = "would_have_been_hired"


class DesignClass(StrEnum):
    """How treated and comparison came to differ; sets the most a rating can reach."""

    RANDOMISED = "randomised"
    PANEL_DIFFERENCE = "panel_difference"
    MATCHED_LONG_HISTORY = "matched_long_history"
    MATCHED_SHORT_HISTORY = "matched_short_history"
    CROSS_SECTION = "cross_section"
    UNADJUSTED = "unadjusted"


class Verdict(StrEnum):
    """Answer of one check."""

    HOLDS = "holds"
    STRAINED = "strained"
    FAILS = "fails"
    NOT_TESTABLE = "not_testable"


class Unidentified(StrEnum):
    """Why nothing is claimed of what others lost."""

    ONE_MARKET = "one_market"
    NO_SATURATION_VARIATION = "no_saturation_variation"
    NO_PURE_CONTROL = "no_pure_control"
    SATURATION_FROM_SAMPLE = "saturation_from_sample"
    TOO_FEW_MARKETS = "too_few_markets"
    ONE_ARM_CELL = "one_arm_cell"
    P_COLLINEAR = "p_collinear"
    POST_TREATMENT_TIGHTNESS = "post_treatment_tightness"
    EXTRAPOLATED_P = "extrapolated_p"
    DENOMINATOR_NOT_SEPARATED = "denominator_not_separated"
    BOUNDARY_LEAK = "boundary_leak"
    NET_CLAIM_WITHOUT_DESIGN = "net_claim_without_design"
    MARKET_SIZE = "market_size"


class GateVerdict(StrEnum):
    """Answer of the reliability gate on one indicator."""

    PUBLISHED = "published"
    WITH_RESERVE = "with_reserve"
    REFUSED = "refused"


class Nature(StrEnum):
    """What an indicator measures. Only an outcome can be published as a result."""

    OUTCOME = "outcome"
    ACTIVITY = "activity"
    INPUT = "input"
    PROCESS = "process"
    DESCRIPTION = "description"
    """Read on those who left or stayed only: it describes them, and carries no effect."""
    UNOBSERVED = "unobserved"
    """An outcome that files of the persons served cannot show."""


class Role(StrEnum):
    """What a measure may serve as."""

    RESULT = "result"
    DOSE = "dose"
    COST = "cost"


class Impact(StrEnum):
    """Dial of impact on the declared primary outcome, read from the interval, not from the point."""

    HIGH = "high"
    MODERATE = "moderate"
    LOW = "low"
    NONE_DETECTED = "none_detected"
    NEGATIVE = "negative"
    POSITIVE_UNGRADED = "positive_ungraded"
    INCONCLUSIVE = "inconclusive"
    NOT_MEASURED = "not_measured"


class Conclusion(StrEnum):
    """What may be said aloud once impact and strength of evidence are read together."""

    ESTABLISHED = "established"
    SUGGESTED = "suggested"
    NOT_ESTABLISHED = "not_established"


def state_column(kind: str, code: str | None = None) -> str:
    """Name of the panel column that holds one kind of state, or one code of it.

    >>> state_column("employment"), state_column("employment", "cdi")
    ('employment', 'employment_cdi')
    """
    return kind if code is None else f"{kind}_{code}"


def scheme_column(kind: str, code: str) -> str:
    """Name of the panel column that holds the local scheme of a state.

    >>> scheme_column("accompaniment", "job_search")
    'accompaniment_job_search_scheme'
    """
    return f"{kind}_{code}_{SCHEME}"


def intensity_column(kind: str, code: str) -> str:
    """Name of the panel column that holds the month's dose of a state.

    >>> intensity_column("accompaniment", "job_search")
    'accompaniment_job_search_intensity'
    """
    return f"{kind}_{code}_{INTENSITY}"


def measure_column(name: str) -> str:
    """Name of the panel column that holds a number of the month.

    >>> measure_column("earnings")
    'measure_earnings'
    """
    return f"{MEASURE}_{name}"
