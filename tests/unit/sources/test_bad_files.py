"""A raw file that cannot be trusted is refused by name, with count and remedy, in silence on persons."""

from __future__ import annotations

import os

import pytest

from .conftest import CONTRACTS, HEADER, NAME, PERSON, SOUND, Folder
