"""Simulated worlds whose truth is known, to try the whole walk on before any real person's data.

``departement``
    Persons in employment zones, contracts, RSA and six accompaniments, month by month; written as
    raw operator files by `write`, with the effects known by construction in `compute_truth`. The
    sample under ``data/synthetic/`` is one draw of it.
``finite_jobs``
    Markets where jobs are finite and help is given at randomised saturations: `simulate_jobs` and
    its closed-form `jobs_truth`, `market_truth` and `employers_truth`; options tell how it departs
    from a clean experiment. Month by month as markets open one after the other: `simulate_rollout`,
    `rollout_truth` and `simulated_rollout_truth`, and `write_rollout` for its raw files. `Unbounded`
    is a sibling whose means are a formula.
``pilots``
    Zones that adopt a measure at known months among zones that do not: `simulate_pilots` and
    `pilots_truth`.
``reliance``
    A trial, and the comparison of those who come forward that its département would have had instead:
    `simulate_reliance` and `reliance_truth`.
``waiting``
    Persons who wait and start one by one, for the same reasons that move their employment:
    `simulate_waiting`, `waiting_panel` and `waiting_truth`.

Nothing in the walk imports this room: a world is read through its files or its tables, like any
other data.
"""

from __future__ import annotations

from whatworks.worlds.departement import DepartementWorld, simulate
from whatworks.worlds.finite_jobs import (
    Employers,
    FiniteJobs,
    FiniteJobsWorld,
    Sampling,
    TakeUp,
    Tightness,
    displacement_at,
    employers_truth,
    fill_rate_at,
    jobs_truth,
    jobs_truth_by_tightness,
    market_truth,
    simulate_jobs,
)
from whatworks.worlds.jobs.pathways import write_rollout
from whatworks.worlds.jobs.rollout import JobsRollout, JobsRolloutWorld, simulate_rollout
from whatworks.worlds.jobs.rollout_truth import rollout_truth, simulated_rollout_truth
from whatworks.worlds.jobs.sibling import Unbounded
from whatworks.worlds.pilots import Pilots, PilotsWorld, pilots_truth, simulate_pilots
from whatworks.worlds.programmes import PROGRAMMES, Departement, Programme, Selection
from whatworks.worlds.registers import write
from whatworks.worlds.reliance import Reliance, RelianceWorld, reliance_truth, simulate_reliance
from whatworks.worlds.truth import POPULATION, Truth, compute_truth, read_truth
from whatworks.worlds.waiting import (
    Waiting,
    WaitingWorld,
    simulate_waiting,
    waiting_panel,
    waiting_truth,
)

__all__ = [
    "POPULATION",
    "PROGRAMMES",
    "Departement",
    "DepartementWorld",
    "Employers",
    "FiniteJobs",
    "FiniteJobsWorld",
    "JobsRollout",
    "JobsRolloutWorld",
    "Pilots",
    "PilotsWorld",
    "Programme",
    "Reliance",
    "RelianceWorld",
    "Sampling",
    "Selection",
    "TakeUp",
    "Tightness",
    "Truth",
    "Unbounded",
    "Waiting",
    "WaitingWorld",
    "compute_truth",
    "displacement_at",
    "employers_truth",
    "fill_rate_at",
    "jobs_truth",
    "jobs_truth_by_tightness",
    "market_truth",
    "pilots_truth",
    "read_truth",
    "reliance_truth",
    "rollout_truth",
    "simulate",
    "simulate_jobs",
    "simulate_pilots",
    "simulate_reliance",
    "simulate_rollout",
    "simulate_waiting",
    "simulated_rollout_truth",
    "waiting_panel",
    "waiting_truth",
    "write",
    "write_rollout",
]
