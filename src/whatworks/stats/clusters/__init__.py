"""Inference from few clusters: numpy in, frozen record out, everything from sums of clusters."""
