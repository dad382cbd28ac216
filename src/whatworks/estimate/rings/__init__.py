"""Rollouts in which those near the treated are told apart: who is exposed, terms, other widths of rings."""
