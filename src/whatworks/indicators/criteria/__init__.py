"""Criteria of the reliability gate, one file each: adding one is adding a file and its thresholds."""
