"""Formulas of differences in differences: numpy in, frozen record out."""
