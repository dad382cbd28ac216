"""Do the covariates close every backdoor of the causal graph?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd

from whatworks.design.causes.identify import Identification, identify
from whatworks.design.record import Design
from whatworks.estimate.record import Estimate
from whatworks.evidence.record import Finding
from whatworks.vocabulary import DesignClass, Verdict

REFERENCE: Final = "Pearl (2009), doi:10.1017/CBO9780511803161"
_COMPARED: Final = (
    DesignClass.MATCHED_LONG_HISTORY,
    DesignClass.MATCHED_SHORT_HISTORY,
    DesignClass.CROSS_SECTION,
)


def run(
    design: Design,
    estimates: Sequence[Estimate],
    *,
    rng: np.random.Generator,
) -> Finding | None:
    """Backdoor set of the design's graph, or of the one shipped, against its covariates.

    A gap under the graph someone declared fails; under the shipped one, which knows nothing of the
    programme, it strains. Designs that do not rest on covariates have nothing to identify.
    """
    if design.design_class not in _COMPARED:
        return None
    found = identify(design.covariates, design.graph)
    if not found.problem:
        verdict = Verdict.HOLDS
    else:
        verdict = Verdict.STRAINED if found.graph.shipped else Verdict.FAILS
    facts: dict[str, str | int | float] = {"reference": REFERENCE}
    if found.problem:
        facts["missing"] = _named(found)
    return Finding(
        check="identification",
        verdict=verdict,
        statistic=float(len(found.nodes)),
        threshold=0.0,
        table=nodes_table(found),
        reference=REFERENCE,
        facts=facts,
    )


def nodes_table(found: Identification) -> pd.DataFrame:
    """Each node of the graph and where it stands.

    Returns
    -------
    DataFrame
        ``node, fr, en, role, measured_by``; ``role`` is ``held``, ``free`` (observed, not held),
        ``unobserved``, ``after_entry`` or, for the nodes of the problem, ``at_fault``.
    """
    graph = found.graph
    late, observed = graph.after_entry(), graph.observed()
    rows = []
    for name, node in graph.nodes.items():
        if name in found.nodes:
            role = "at_fault"
        elif name in late:
            role = "after_entry"
        elif name in found.held:
            role = "held"
        else:
            role = "free" if name in observed else "unobserved"
        label = node.label
        words = (label.fr, label.en) if label else (name.replace("_", " "),) * 2
        rows.append((name, *words, role, ", ".join(found.held.get(name, ()))))
    return pd.DataFrame(rows, columns=["node", "fr", "en", "role", "measured_by"])


def _named(found: Identification) -> str:
    """Labels of the nodes of the problem by language, as JSON: the report picks one."""
    table = nodes_table(found).set_index("node").loc[list(found.nodes)]
    return json.dumps({lang: table[lang].tolist() for lang in ("fr", "en")})
