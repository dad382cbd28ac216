"""Designs from ordinary tables, and what the units of any design must look like."""
