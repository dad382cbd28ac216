"""Figures: one file each, drawn on their own ``Figure``, written as text-bearing, repeatable SVG."""
