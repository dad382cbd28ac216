"""The report on others: nets by every fit, sets without end, banners, nothing direct alone."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from unit.estimate.responses_by_hand import arms, fitted, known
from whatworks.design import Design
from whatworks.errors import DisplacementRefused
from whatworks.evidence import Evidence, Stakes, weigh
from whatworks.evidence.record import OF_OTHERS
from whatworks.report import others, others_drawn
from whatworks.report.alone import direct_alone
from whatworks.report.displaced import of_others
from whatworks.report.figures.ratios import segments
from whatworks.report.language import words
from whatworks.report.render import bundle
from whatworks.vocabulary import Unidentified
from whatworks.worlds import FiniteJobs, jobs_truth, simulate_jobs

FR, EN = words("fr"), words("en")


def designed(frame: pd.DataFrame) -> Design:
    return Design.from_cross_section(
        frame,
        treatment="treated",
        outcome="y",
        market="market",
        saturation="saturation",
        stratum="stratum",
        unit="pp",
        randomised=True,
    )


@pytest.fixture(scope="module")
def measured() -> Evidence:
    frame = simulate_jobs(FiniteJobs(n_markets=60, seed=5)).frame
    frame = frame.assign(y=100 * frame["y"])
    stakes = Stakes(cost=800.0, value=12_000.0, pool_share=0.5)
    return weigh(designed(frame), fitted(frame, unit="pp"), stakes=stakes)


@pytest.fixture(scope="module")
def direct_only() -> Evidence:
    """No market was left without help: the gap between neighbours, and nothing of what they lost."""
    frame = simulate_jobs(FiniteJobs(n_markets=60, seed=5)).frame
    helped = frame[frame["saturation"] > 0].assign(y=100 * frame["y"])
    cells = [(a, s, 100 * m) for a, s, m in arms(jobs_truth(), base=0.3) if s > 0]
    alone = known(cells, covariance=np.eye(len(cells)), unit="pp")
    stakes = Stakes(cost=800.0, value=12_000.0, share=0.6, programme="assistance", tightness=0.5)
    return weigh(designed(helped), alone, stakes=stakes)


@pytest.fixture(scope="module")
def rendered(measured: Evidence, direct_only: Evidence) -> dict[tuple[str, str], dict[str, bytes]]:
    every = {"measured": measured, "direct_only": direct_only}
    return {(k, lang): bundle(e, lang=lang) for k, e in every.items() for lang in ("fr", "en")}


@pytest.mark.parametrize("lang", ["fr", "en"])
def test_nets_of_every_fit_are_on_the_page_side_by_side(rendered, lang: str):
    html = rendered["measured", lang]["index.html"].decode()
    speak = words(lang)
    for fit in ("saturated", "pooled"):
        assert speak.text(f"fit.{fit}.said") in html
    for figure in ("responses", "net", "ratios", "break_even"):
        assert f'id="figure-{figure}"' in html
        assert f"figures/{figure}.svg" in rendered["measured", lang]
    assert 'id="table-net"' in html
    assert 'id="table-ratios"' in html
    assert 'id="table-bounds"' not in html


def test_the_losses_of_the_rest_of_the_pool_are_never_left_at_nil_alone(measured: Evidence):
    said = of_others(FR, measured).said
    alone = [s for s in said if "ne perdent rien" in s]
    with_loss = [s for s in said if "perdent autant" in s]
    assert len(alone) == len(with_loss) == 2
    unknown = weigh(
        measured.design, measured.estimates[0], stakes=Stakes(cost=800.0, value=12_000.0)
    )
    assert FR.text("net.pool_unknown") in of_others(FR, unknown).said


def test_a_ratio_without_a_point_has_its_set_and_says_why(measured: Evidence):
    table = others.net_table(measured)
    lost = table[table["code"] == Unidentified.DENOMINATOR_NOT_SEPARATED]
    assert not lost.empty
    assert lost["estimate"].isna().all()
    assert not {"numerator", "denominator"} & set(table)
    rows = of_others(FR, measured).ratios.rows
    assert any("non borné" in row[-1] for row in rows)
    wanting = [reason.text for reason in of_others(FR, measured).wanting]
    assert FR.text("lack.denominator_not_separated.text") in wanting


def test_files_and_page_hold_the_same_rounded_numbers(rendered, measured: Evidence):
    files = rendered["measured", "en"]
    filed = pd.read_csv(pd.io.common.BytesIO(files["findings/displacement.csv"]))
    table = others.net_table(measured)
    pd.testing.assert_series_equal(
        filed["estimate"], table["estimate"].reset_index(drop=True).astype(float), check_dtype=False
    )
    net = table[(table["quantity"] == "net_assigned") & table["estimate"].notna()]
    html = files["index.html"].decode()
    for value in net["estimate"]:
        assert EN.number(value, 1, signed=True) in html


@pytest.mark.parametrize("lang", ["fr", "en"])
def test_nothing_rendered_shows_a_direct_effect_alone(rendered, lang: str):
    speak = words(lang)
    for kind in ("measured", "direct_only"):
        banner = speak.text(f"displacement.{kind}.title")
        assert direct_alone(rendered[kind, lang], speak, banner=banner) == ()


def test_without_pure_control_every_file_with_the_direct_effect_carries_the_banner(rendered):
    files = rendered["direct_only", "fr"]
    banner = FR.text("displacement.direct_only.title")
    for name in ("index.html", "effects.csv", "effects.json", "figures/effects.csv"):
        assert banner in files[name].decode("utf-8-sig").replace("&#39;", "'")
    assert "aucun marché sans" in files["figures/effects.svg"].decode()
    filed = files["effects.csv"].decode("utf-8-sig")
    assert not any(re.search(rf"\b{term}\b", filed) for term in OF_OTHERS)


def test_the_linter_finds_a_direct_effect_left_alone(direct_only: Evidence):
    banner = FR.text("displacement.direct_only.title")
    bare = {
        "a.csv": b"term;estimate\r\ndirect;1,0\r\n",
        "b.csv": b"term;estimate\r\ndirect;1,0\r\nspillover;-1,0\r\n",
        "c.html": f"<p>{FR.text('term.direct.short')}</p>".encode(),
        "d.html": f"<p>{FR.text('term.direct.short')} {banner}</p>".encode(),
        "e.json": b'{"term": "direct",\n"x": 1}',
        "f.json": b'{"design": "directory", "code": "direct_only"}',
        "g.parquet": b"direct",
    }
    assert direct_alone(bare, FR, banner=banner) == ("a.csv", "c.html", "e.json")


def test_a_report_that_would_show_it_alone_is_refused(
    direct_only: Evidence, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("whatworks.report.wording.beside_direct", lambda *_: "")
    with pytest.raises(DisplacementRefused, match=r"effects\.csv") as refused:
        bundle(direct_only, lang="fr")
    assert refused.value.code is Unidentified.NET_CLAIM_WITHOUT_DESIGN
    plenty = replace(direct_only.displacement, stakes=Stakes(scarce_jobs=False))
    assert "effects.csv" in bundle(replace(direct_only, displacement=plenty), lang="fr")


def test_without_a_measure_no_net_is_claimed_and_scenarios_say_what_they_are(rendered):
    html = rendered["direct_only", "fr"]["index.html"].decode()
    said = re.sub(r"<[^>]+>", " ", html).lower()
    assert not re.search(r"emplois? nets?|effets? nets?", said)
    assert 'id="table-net"' not in html
    assert 'id="table-scenarios"' in html
    assert 'id="table-bounds"' in html
    assert "non une estimation" in said.replace("\u00a0", " ")
    filed = rendered["direct_only", "fr"]["findings/scenarios.csv"].decode("utf-8-sig")
    rows = filed.splitlines()
    assert all(row.endswith(";scenario") for row in rows[1:] if row.strip())


@pytest.mark.parametrize("lang", ["fr", "en"])
def test_every_typed_reason_has_its_sentences(lang: str):
    speak = words(lang)
    assert len(Unidentified) == 13
    for code in Unidentified:
        for part in ("text", "lifted_by", "short"):
            assert speak.text(f"lack.{code}.{part}")


@pytest.mark.parametrize("code", ["not_read", "markets_only", "direct_only"])
def test_statements_of_what_is_not_measured_begin_with_the_banner(code: str):
    assert FR.text(f"displacement.{code}.title").startswith("Effet de déplacement non mesuré")
    assert EN.text(f"displacement.{code}.title").startswith("Displacement effect not measured")


def test_figures_tell_their_numbers_in_words(measured: Evidence):
    for drawn in others_drawn.drawings(measured, FR):
        told = re.search(r"<desc[^>]*>(.*?)</desc>", drawn.svg, flags=re.DOTALL).group(1)
        assert re.search(r"\d", told)
        assert not drawn.data.empty


def test_sets_are_drawn_to_where_they_end():
    inf = float("inf")
    assert segments("interval", 0.1, 0.5) == [(0.1, 0.5)]
    assert segments("outside", -1.0, 2.0) == [(-inf, -1.0), (2.0, inf)]
    assert segments("line", -inf, inf) == [(-inf, inf)]
    assert segments("undefined", np.nan, np.nan) == []
