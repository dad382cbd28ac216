"""Formulas of displacement: saturations, exposure, net effects, ratios; numpy in, frozen records out."""
