"""Formulas of synthetic controls: numpy in, weights and gaps out."""
