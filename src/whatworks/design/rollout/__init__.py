"""Treatment that rolls out over territories and months: one row per unit, outcomes by period.

``reading.py`` makes it of an ordinary table; ``stacked.py`` turns it into the clock of entry, cohort by
cohort.
"""
