"""Pairs become persons: hand-worked chains."""

from __future__ import annotations

import ibis
import pytest
from ibis import _

import hand
from whatworks.errors import RefusedError
from whatworks.sources.scratch import Scratch
from whatworks.spells.linking import clusters

NODE = {"node": "int64", "space": "string"}
EDGE = {"left_node": "int64", "right_node": "int64", "probability": "float64"}


def persons(
    nodes: list[tuple[int, str]], *stages: list[tuple[int, int, float]]
) -> set[frozenset[int]]:
    con = ibis.duckdb.connect()
    with Scratch(con) as scratch:
        groups = clusters.alone(hand.table(con, nodes, NODE), scratch=scratch)
        for stage in stages:
            groups = clusters.joined(groups, hand.table(con, stage, EDGE), scratch=scratch)
        made = groups.group_by("linked_node").aggregate(nodes=_.node.collect()).execute()
    return {frozenset(map(int, found)) for found in made["nodes"]}


A1, A2, B1, B2, C1, D1 = range(6)
SPACES = [(A1, "a"), (A2, "a"), (B1, "b"), (B2, "b"), (C1, "c"), (D1, "d")]


def test_a_chain_over_several_spaces_is_one_person() -> None:
    assert persons(SPACES, [(A1, B1, 0.99), (B1, C1, 0.99), (C1, D1, 0.99)]) == {
        frozenset({A1, B1, C1, D1}),
        frozenset({A2}),
        frozenset({B2}),
    }


def test_the_weakest_pair_of_a_chain_between_two_persons_of_a_space_gives_way() -> None:
    assert persons(SPACES, [(A1, B1, 0.97), (B1, C1, 0.98), (A2, C1, 0.99)]) == {
        frozenset({A2, B1, C1}),
        frozenset({A1}),
        frozenset({B2}),
        frozenset({D1}),
    }


def test_an_earlier_stage_links_first_however_probable_the_later_one() -> None:
    assert persons(SPACES, [(A1, B1, 0.6)], [(A2, B1, 0.999), (A2, B2, 0.7)]) == {
        frozenset({A1, B1}),
        frozenset({A2, B2}),
        frozenset({C1}),
        frozenset({D1}),
    }


def test_equal_pairs_are_taken_in_the_order_of_numbers() -> None:
    pairs = [(A1, B1, 0.9), (A2, B1, 0.9), (A1, B2, 0.9)]
    expected = {
        frozenset({A1, B1}),
        frozenset({A2}),
        frozenset({B2}),
        frozenset({C1}),
        frozenset({D1}),
    }
    assert persons(SPACES, pairs) == expected
    assert persons(SPACES, pairs[::-1]) == expected


def test_more_spaces_than_fit_are_refused() -> None:
    many = [(k, f"s{k}") for k in range(63)]
    with pytest.raises(RefusedError, match="at most 62"):
        persons(many)
