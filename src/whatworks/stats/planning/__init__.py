"""Formulas of experiments yet to be run: variances of contrasts, power, numbers of areas, allocations."""
