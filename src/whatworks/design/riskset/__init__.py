"""Risk sets in the engine, one module for each step.

``reading.py`` says what of the panel a question must read; ``counting.py`` and ``histories.py`` write
it as expressions of the engine, ``marks.py`` a standing as one number; ``layout.py`` reads it in one
pass for every question that agrees on it; ``arms.py`` says who is treated, who is compared and why the
others are not; ``selection.py`` takes from a layout the arrays of one question, with its ledger.
"""
