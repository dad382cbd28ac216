"""Inference from few clusters: numpy in, frozen record out, everything from sums of clusters.

``blocks`` reduces a regression to its clusters. ``covariance`` has CR0 to CR3 and degrees of freedom;
``wild`` the wild bootstrap, ``inversion`` its confidence sets; ``score`` the same for what is no
regression, from influences. ``rules`` says which of them a number of clusters allows. Assignments drawn
anew are in `whatworks.stats.assignments`, weights on influences in `whatworks.stats.multipliers`.
"""
