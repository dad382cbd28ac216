"""Formulas: arrays in, a frozen record out. One function, one equation, one source."""
