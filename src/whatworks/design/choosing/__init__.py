"""What the ways of choosing comparisons share: scores, nearness, cells, weights, and who is kept.

The ways themselves are in ``../comparisons/``; the protocol they answer is ``../comparison.py``.
"""
