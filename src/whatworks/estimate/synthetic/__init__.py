"""What methods on territories share: columns, donors of each cohort, effects, inference, and tables.

A method says how donors are weighted (`fitting.Fitter`); the rest is written once here.
"""
