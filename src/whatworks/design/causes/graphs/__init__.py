"""Causal graphs shipped with the library, one TOML file each."""
