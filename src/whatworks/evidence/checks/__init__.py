"""One check per file: ``run(design, estimates, rng=...) -> Finding``, or None where it has no object.

To add one: a module here with ``run``, its name in ``../weigh.py``, its sentences in the catalogues.
"""
