"""The pages of an algorithm: what a run's record says, shown to whoever may read it."""

from __future__ import annotations

import pytest

from catalog.pages.curves import curves_of
from catalog.pages.models import card_document, chosen, runs_of
from mesh.errors import WrongUse
from mesh.ports.refusals import NotThere
from mesh.sql.limits import missing
from tests.models import CARD, NAMES, RUNS, SHEET, opened_runs, record
from tests.shelves import shipped_shelf

pytestmark = pytest.mark.skipif(bool(missing()), reason=f"{missing()}: run it on Linux")


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    with opened_runs(tmp_path_factory.mktemp("models")) as found:
        yield found


def asked(pages, path, who="dorothy", **headers):
    return pages.client.get(path, headers=pages.headers(who, **headers))


def test_the_card_shows_the_newest_run_its_promise_and_each_group(pages):
    found = asked(pages, CARD, Accept="application/json").json()
    page = asked(pages, CARD).text

    assert found["run"]["run_id"] == NAMES[1]
    assert found["fairness"]["bound"] == 0.1
    assert [each["name"] for each in found["groups"]] == ["everybody", "18-25"]
    assert [each["run_id"] for each in found["runs"]] == [*reversed(NAMES)]
    assert "figures" not in found["run"]
    assert 'aria-label="ROC curve: ' in page
    assert page.count("<polyline") == 8


def test_an_earlier_run_is_shown_where_it_is_named(pages):
    found = asked(pages, f"{CARD}?run={NAMES[0]}", Accept="application/json").json()
    unknown = asked(pages, f"{CARD}?run=nothing")

    assert found["run"]["as_of"] == "2026-04-29"
    assert unknown.status_code == 404
    assert "there is no run" in unknown.text


def test_the_sheet_tells_what_is_used_for_the_check_alone(pages):
    found = asked(pages, SHEET, Accept="application/json").json()
    page = asked(pages, SHEET).text

    used = {each["port"]: each["is_for_check"] for each in found["inputs"]}
    assert used == {"invoices": False, "payer-age-bands": True}
    assert found["inputs"][0]["rows"] == 1234
    assert found["libraries"] == {"scikit-learn": "1.9.0"}
    assert f"mesh reproduce {NAMES[1]}" in page
    assert "no feature is made of it" in page


def test_whoever_was_not_granted_the_records_sees_none(pages):
    refused = asked(pages, CARD, "ada")
    nobody = pages.client.get(CARD, headers={"Accept": "text/html"})

    assert refused.status_code == 403
    assert "ada is not granted payment-risk.runs" in refused.text
    assert NAMES[1] not in refused.text + nobody.text
    assert "Sign in" in nobody.text


def test_a_product_that_runs_no_algorithm_has_no_such_page(pages):
    assert asked(pages, "/products/billing/model-card").status_code == 404
    assert asked(pages, "/products/nothing/data-sheet").status_code == 404
    assert runs_of(shipped_shelf().project.products["billing"]) is None


def test_its_products_page_leads_there(pages):
    assert CARD in asked(pages, "/products/payment-risk").text
    assert "model-card" not in asked(pages, "/products/billing").text


def test_no_run_is_said_where_there_is_none():
    with pytest.raises(NotThere, match="no run has been published yet"):
        chosen([], "")


def test_figures_that_are_no_json_are_refused_with_the_run():
    broken = record(NAMES[0], "2026-04-29", figures="{")
    with pytest.raises(WrongUse, match=f"figures of the run {NAMES[0]} is no JSON"):
        card_document(RUNS, [broken], broken)


def test_curves_stay_in_their_square():
    found = curves_of({"a": [[0, 0], [1, 1], [2, -1]]}, across="x", up="y")

    assert found.curves[0].points == "44,310 344,10 344,310"
