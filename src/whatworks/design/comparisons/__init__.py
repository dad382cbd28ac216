"""Ways of choosing whom the treated are compared with; one file each, none knows another.

To add one: a frozen dataclass of options with ``choose(candidates) -> Chosen`` (``../comparison.py``), and
its name in ``../registry.py``.
"""
