"""A study file: the whole walk written down, so that it can be run again by anyone.

One file names the sources, the window, the questions, how comparisons are chosen or how treatment rolls
out, and which estimators are fitted. ``file.py`` reads it; ``walk.py`` walks it and returns one entry of
evidence per question.
"""

from whatworks.study.file import Options, QuestionText, StudyFile, build, load
from whatworks.study.walk import run

__all__ = ["Options", "QuestionText", "StudyFile", "build", "load", "run"]
