"""One file per estimator, none knows another; its docstring is its method card.

To add one: a frozen dataclass with ``needs`` and ``fit`` here, its name in ``../registry.py``, and the
contract suite runs on it.
"""
