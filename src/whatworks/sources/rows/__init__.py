"""Whom each row of a raw file is about, and which rows count: one file per reason.

``counted.py`` calls the others in order.
"""
