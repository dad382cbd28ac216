"""A design before its outcome: balance, overlap, who is left out; sealed, saved, and only then opened."""
