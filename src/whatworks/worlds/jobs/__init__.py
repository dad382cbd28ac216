"""Worlds whose jobs are finite: drawn once, month by month, or written as raw files; truth known."""
