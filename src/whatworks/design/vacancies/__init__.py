"""Vacancies as units: filled or withdrawn some days after they were posted, by whom, in which market."""
