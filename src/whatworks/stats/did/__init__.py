"""Formulas of differences in differences: numpy in, frozen record out.

Two groups, two periods
    ``two_periods`` (units seen in both), ``two_cross_sections`` (rows seen in one), with the odds and
    lines that both fit in ``two_groups``; ``triple`` differences; ``dose``, where some received more.

Cohorts by periods, cell by cell
    ``group_time`` says which cells there are and whom each is compared with. ``panel_cells`` fits them
    on units seen throughout (``followed``, ``panel_moments``, ``propensities``), ``repeated_cells`` on
    units seen here and there (``repeated_influence``). ``rolling`` takes each unit's own past away
    first, ``stacks`` sets each cohort beside clean comparisons, ``random_timing`` uses a timing that
    was drawn.

Cohorts by periods, one regression
    ``two_way``: treatment or any cells beside unit and period effects, read off tables of cohorts by
    periods, units met once in blocks; on it stand ``imputation``, ``negative_weights`` and ``bacon``.
    ``by_period``: facts of units (covariates, cohorts, their products) whose coefficients are free in
    some periods and held at zero in others, as saturated regressions need.

From cells to answers
    ``aggregation`` averages cells and carries what estimated shares add; ``accumulated`` and ``summed``
    turn influences of units into uncertainty; ``wald`` tests several effects at once.

Before the start
    ``event_study`` is what follows reads: ``pretest`` (what a test could see), ``sensitivity`` (bounds
    when trends were not parallel) with its two engines, ``fixed_length`` and ``conditional_test``.
"""
