"""Formulas of synthetic controls: numpy in, weights and gaps out.

Weights: ``simplex`` solves exactly, ``frank_wolfe`` stops early as published estimates did. Methods:
``control`` (predictors and what each counts), ``augmented`` (ridge correction), ``difference`` (weights
of units and of periods). How sure: ``jackknife``, ``placebos``.
"""
