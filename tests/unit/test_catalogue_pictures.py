"""Pictures: every tile has its place, arrows lead from source to reader, charts show gaps."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import combinations

import pytest

from bench.many import NOW, many
from catalog.pages.charts import freshness_chart, nice, quality_chart, thinned
from catalog.pages.lineage import lineage_picture
from catalog.pages.map import MOST_NEIGHBOURS, map_document, map_picture
from catalog.pages.pictures import Group, Line, Node, layered
from catalog.pages.web import flows_of
from catalog.shelf import Observed
from mesh.contract.lineage import Edge
from tests.shelves import shipped_shelf


@pytest.fixture(scope="module")
def large():
    return many()


def overlaps(picture):
    """Pairs of tiles, or of boxes, that lie on each other."""
    return [
        (one, other)
        for kind in (picture.tiles, picture.boxes)
        for one, other in combinations(sorted(kind, key=lambda each: each.y), 2)
        if one.y + one.height > other.y
        and one.x < other.x + other.width
        and other.x < one.x + one.width
    ]


def test_the_map_of_the_shipped_products_goes_from_systems_to_readers():
    picture = map_picture(shipped_shelf())
    places = {tile.node.key: tile.x for tile in picture.tiles}

    assert places["system:crm"] < places["contracts"] < places["key-ring"]
    assert overlaps(picture) == []
    kinds = {(a.line.source, a.line.target): a.line.kind for a in picture.arrows}
    assert kinds["system:telephony", "call-center"] == "declared"
    assert kinds["call-center", "billing"] == "observed"


def test_five_hundred_products_have_a_place_each_and_none_lies_on_another(large):
    picture = map_picture(large)

    assert {tile.node.key for tile in picture.tiles} == set(large.entries)
    assert overlaps(picture) == []
    assert picture.width <= 1176  # what a page has room for
    assert picture.arrows == []


def test_of_a_large_map_each_domain_has_a_picture_with_its_neighbours(large):
    picture = map_picture(large, "sales")
    own = {key for key, each in large.entries.items() if each.product.domain == "sales"}

    assert own <= {tile.node.key for tile in picture.tiles}
    assert overlaps(picture) == []
    assert len(picture.tiles) < len(own) + 2 * 26
    assert any(tile.node.key.startswith("beside:") for tile in picture.tiles)
    assert picture.arrows


def test_few_neighbours_stand_for_themselves():
    picture = map_picture(shipped_shelf(), "finance")

    assert len(picture.tiles) < MOST_NEIGHBOURS
    assert {"billing", "call-center", "key-ring"} <= {tile.node.key for tile in picture.tiles}


def test_the_maps_data_has_every_pair_and_its_kind():
    document = map_document(shipped_shelf())
    flows = {(each["from"], each["to"]): each["kind"] for each in document["flows"]}

    assert flows["contracts", "key-ring"] == "declared"
    assert {"crm", "invoicing", "telephony"} <= set(document["systems"])
    assert [each["name"] for each in document["domains"]] == [
        "analytics", "customer-service", "finance", "identity", "marketing", "network", "risk",
        "sales",
    ]  # fmt: skip


def test_domains_that_read_each_other_have_a_map():
    shelf = shipped_shelf()
    back = Edge(source="key-ring.links", target="call-center")
    again = Edge(source="billing.invoices", target="contracts")
    picture = map_picture(replace(shelf, edges=[*shelf.edges, back, again]))

    assert {"call-center", "key-ring"} <= {tile.node.key for tile in picture.tiles}
    assert overlaps(picture) == []


def test_a_reader_that_is_not_in_the_catalogue_is_drawn_as_unknown():
    shelf = shipped_shelf()
    edges = [*shelf.edges, Edge(source="call-center.calls", target="stranger", kind="observed")]
    tiles = {t.node.key: t.node for t in map_picture(replace(shelf, edges=edges)).tiles}

    assert (tiles["stranger"].kind, tiles["stranger"].href) == ("unknown", None)


def test_one_pair_of_several_ports_is_one_flow_and_what_differs_shows():
    shelf = shipped_shelf()
    edges = [
        Edge(source="billing.invoices", target="key-ring", kind="both"),
        Edge(source="billing.payments", target="key-ring", kind="observed"),
    ]
    [flow] = flows_of(replace(shelf, edges=edges))

    assert (flow.kind, list(flow.ports)) == ("observed", ["billing.invoices", "billing.payments"])
    assert "though it is not declared" in flow.note


def test_the_lineage_of_a_product_has_what_it_reads_its_ports_and_its_readers():
    shelf = shipped_shelf()
    picture = lineage_picture(shelf, shelf.entries["key-ring"].product)
    boxes = {box.group.label: box for box in picture.boxes}

    assert boxes["contracts"].x < boxes["Key ring"].x
    assert boxes["contracts"].group.href == "/products/contracts"
    assert len(boxes["contracts"].group.nodes) == 6
    assert overlaps(picture) == []


def test_a_line_without_an_end_is_left_out():
    groups = [[Group(key="g", label="g", nodes=[Node(key="a", label="a")])]]
    picture = layered(groups, [Line(source="a", target="nowhere"), Line(source="a", target="a")])

    assert picture.arrows == []


def test_nothing_is_an_empty_picture():
    assert layered([], []).tiles == []


def seen(minutes, **changes):
    return Observed(observed_at=NOW + timedelta(minutes=minutes), state="running", **changes)


def test_freshness_is_a_line_with_a_gap_where_nobody_answered():
    history = [seen(n, freshness_s=float(n)) for n in range(10)]
    history[5] = seen(5, is_reached=False)
    chart = freshness_chart(history, 8.0)

    assert len(chart.lines) == 2
    assert chart.limit is not None
    assert "8 s were promised" in chart.summary


def test_a_promise_far_above_does_not_press_the_line_flat():
    assert freshness_chart([seen(0, freshness_s=1.0), seen(1, freshness_s=2.0)], 600).limit is None


def test_one_observation_is_a_dot():
    assert len(freshness_chart([seen(0, freshness_s=1.0)], None).dots) == 1


def test_nothing_known_is_no_chart():
    assert freshness_chart([], None) is None
    assert freshness_chart([seen(0)], None) is None
    assert quality_chart([seen(0)]) is None


def test_quality_shows_what_was_set_aside_between_two_looks():
    counts = [0, 3, 3, 10, 2]  # the last is of a storage that was made anew
    chart = quality_chart([seen(n, quarantine={"calls": each}) for n, each in enumerate(counts)])

    assert [each.label.split()[0] for each in chart.bars] == ["3", "7", "2"]
    assert "12 messages" in chart.summary


def test_a_long_history_is_thinned_and_keeps_its_end():
    history = [seen(n) for n in range(10_001)]

    assert len(thinned(history)) <= 160
    assert thinned(history)[-1] is history[-1]


@pytest.mark.parametrize(
    ("value", "top"),
    [(0, 1), (-1, 1), (float("inf"), 1), (3, 4), (10, 10), (0.07, 0.1), (101, 200)],
)
def test_an_axis_ends_at_a_round_number(value, top):
    assert nice(value) == pytest.approx(top)
