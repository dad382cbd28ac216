"""Treatment that rolls out over territories and months: one row per unit, outcomes by period.

``reading.py`` makes it of an ordinary table, ``pathways.py`` of a panel of pathways (persons as of the
month before the first start: ``as_of.py``); ``stacked.py`` turns it into the clock of entry, cohort by
cohort.
"""
