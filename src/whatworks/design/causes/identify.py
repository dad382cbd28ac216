"""Which covariates a comparison must hold, derived from a causal graph and set against those used.

The graph is handed to `dowhy`, whose d-separation decides; nothing of the data is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

import networkx as nx

from whatworks import doors
from whatworks.design.causes.pathway import OUTCOME, TREATMENT, Pathway
from whatworks.errors import DesignRefused

MOST_ADDED: Final = 4
"""Nodes that are tried together when covariates do not suffice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identification:
    """What a graph says of a set of covariates.

    Parameters
    ----------
    graph : Pathway
    held : mapping of node to covariates
        Nodes that the comparison holds, and by which covariates (empty when by the calendar month).
    required : tuple of str
        A smallest set of nodes that closes every backdoor; empty when none can.
    problem : str
        ``""`` when the covariates close every backdoor, else ``after_entry`` (one of them happens
        after entry), ``collider`` (holding one of them opens a path), ``missing`` (a confounder is
        not held) or ``unobserved`` (one cannot be).
    nodes : tuple of str
        Nodes the problem is about.
    unplaced : tuple of str
        Covariates that the graph does not speak of.
    """

    graph: Pathway
    held: dict[str, tuple[str, ...]]
    required: tuple[str, ...]
    problem: str
    nodes: tuple[str, ...]
    unplaced: tuple[str, ...]

    def raise_if_unidentified(self) -> None:
        """Stop when the covariates do not identify the effect under this graph.

        Raises
        ------
        DesignRefused
            Naming the confounder that is missing, the collider, or what happens after entry.
        """
        if self.problem:
            raise DesignRefused(what="identification", **self._told())
        if self.unplaced:
            raise DesignRefused(
                what="identification",
                needed="covariates that the graph places before entry",
                found=f"{', '.join(self.unplaced)}, of which it does not speak",
                remedy="add each to the `measured_by` of a node, or leave it out",
            )

    def _told(self) -> dict[str, str]:
        names = ", ".join(self.nodes)
        covariates = ", ".join(c for n in self.nodes for c in self.held.get(n, ()))
        patterns = ", ".join(p for n in self.nodes for p in self.graph.nodes[n].measured_by)
        return {
            "after_entry": {
                "needed": "covariates known before entry and untouched by the treatment",
                "found": f"{covariates}, which measures {names}: it comes after entry",
                "remedy": "leave it out: holding it takes away part of the effect",
            },
            "collider": {
                "needed": "covariates that open no path between treatment and outcome",
                "found": f"{covariates}, which measures {names}: a common effect (collider)",
                "remedy": "leave it out, or hold one of its causes too",
            },
            "missing": {
                "needed": f"covariates that hold {names}, a confounder in the graph",
                "found": "none of them",
                "remedy": f"add one measured as: {patterns}; or correct the graph",
            },
            "unobserved": {
                "needed": "confounders that some covariate measures",
                "found": f"{names}, which acts on entry and outcome and is not observed",
                "remedy": "measure it, compare before and after, or draw at random",
            },
        }[self.problem]


def identify(covariates: Sequence[str], graph: Pathway | None = None) -> Identification:
    """Derive the backdoor set of a graph and compare it with the covariates used.

    Parameters
    ----------
    covariates : sequence of str
        Names as a design gives them: ``"employment.lag1"``, ``"sex=woman"``.
    graph : Pathway, optional
        By default the one shipped, `Pathway.default`.

    Returns
    -------
    Identification

    Notes
    -----
    The calendar month is held by construction: units are compared within it. A set of nodes closes
    every backdoor when it holds no effect of the treatment and separates treatment from outcome in
    the graph without the treatment's arrows (Pearl 2009, §3.3, doi:10.1017/CBO9780511803161).

    Examples
    --------
    >>> found = identify(["market", "sex", "age", "education", "children", "benefit.lag1"])
    >>> found.problem, found.nodes
    ('missing', ('employment_history',))
    """
    chosen = Pathway.default() if graph is None else graph
    held: dict[str, tuple[str, ...]] = dict.fromkeys(chosen.aligned(), ())
    unplaced = []
    for covariate in dict.fromkeys(name.split("=")[0] for name in covariates):
        places = chosen.placed(covariate)
        if not places:
            unplaced.append(covariate)
        for node in places:
            held[node] = (*held.get(node, ()), covariate)
    problem, nodes = _problem(_Graph(chosen), frozenset(held))
    return Identification(
        graph=chosen,
        held=held,
        required=_required(chosen),
        problem=problem,
        nodes=nodes,
        unplaced=tuple(unplaced),
    )


class _Graph:
    """A pathway as `dowhy` takes it, and its one question."""

    def __init__(self, pathway: Pathway) -> None:
        self.pathway = pathway
        self.graph = _directed(pathway)
        engine = doors.dowhy_graph()
        self._check = engine.check_valid_backdoor_set
        self._cut = engine.do_surgery(self.graph, TREATMENT, remove_outgoing_edges=True)

    def closes(self, nodes: frozenset[str]) -> bool:
        """Whether holding these nodes leaves no backdoor open."""
        answer = self._check(self.graph, [TREATMENT], [OUTCOME], sorted(nodes), new_graph=self._cut)
        return bool(answer["is_dseparated"])


def _directed(pathway: Pathway) -> nx.DiGraph:
    graph = nx.DiGraph(pathway.edges())
    graph.add_nodes_from(pathway.nodes)
    return graph


def _required(pathway: Pathway) -> tuple[str, ...]:
    """A smallest set of observed nodes that closes every backdoor, as `dowhy` derives it."""
    engine = doors.dowhy_identifier()
    found: Any = engine.identify_effect_auto(
        _directed(pathway),
        [TREATMENT],
        [OUTCOME],
        sorted({*pathway.observed(), TREATMENT, OUTCOME}),
        engine.EstimandType.NONPARAMETRIC_ATE,
        backdoor_adjustment=engine.BackdoorAdjustment.BACKDOOR_MIN,
    )
    return tuple(sorted(found.backdoor_variables.get("backdoor", ())))


def _problem(graph: _Graph, held: frozenset[str]) -> tuple[str, tuple[str, ...]]:
    """What is wrong with holding these nodes, and which nodes it is about."""
    late = tuple(sorted(held & graph.pathway.after_entry()))
    if late:
        return "after_entry", late
    if graph.closes(held):
        return "", ()
    for node in sorted(held):
        if graph.closes(held - {node}):
            return "collider", (node,)
    for added in _sets(graph.pathway.observed() - held):
        if graph.closes(held | set(added)):
            return "missing", added
    hidden = frozenset(graph.pathway.nodes) - graph.pathway.observed() - graph.pathway.after_entry()
    everything = held | graph.pathway.observed()
    for added in _sets(hidden):
        if graph.closes(everything | set(added)):
            return "unobserved", added
    return "unobserved", tuple(sorted(hidden))


def _sets(nodes: frozenset[str]) -> Iterator[tuple[str, ...]]:
    """Sets of nodes, small ones first, then all of them."""
    for size in range(1, min(MOST_ADDED, len(nodes)) + 1):
        yield from combinations(sorted(nodes), size)
    if len(nodes) > MOST_ADDED:
        yield tuple(sorted(nodes))
