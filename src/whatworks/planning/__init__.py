"""The next experiment: how many markets, at which shares, and who is drawn."""
