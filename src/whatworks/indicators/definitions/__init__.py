"""One file per family of indicators; each ends with ``INDICATORS``."""
