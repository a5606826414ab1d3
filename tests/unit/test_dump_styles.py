"""A later delivery is read as the first was, and never means something else without a word."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from mesh.errors import WrongUse
from mesh.product.deliveries import deliveries_of
from tests.dumps import dumped, rejected_of, rows_of, types_of


def column(name, values):
    """A file with a key and one column."""
    return f"id;{name}\n" + "".join(f"{number};{each}\n" for number, each in enumerate(values))


def kept(found):
    return [value for _, value in rows_of(found)]


def style_of(found):
    return deliveries_of(found.product, found.port)[-1].styles


def test_a_newer_amount_with_more_places_is_set_aside_and_not_multiplied(tmp_path):
    dumped(tmp_path, column("price", ["1.25", "12.50", "7.99"]))
    found = dumped(tmp_path, column("price", ["1.250", "12.500", "7.999"]))
    assert kept(found) == [Decimal("1.25"), Decimal("12.50")]
    assert dict(found.delivery.rejected) == {"type/price": 1}


@pytest.mark.parametrize("value", ["1.255", "1,234", "1,234.567"])
def test_a_lone_amount_that_means_something_else_in_another_style_is_refused(tmp_path, value):
    dumped(tmp_path, column("price", ["1.25", "12.50"]))
    with pytest.raises(WrongUse, match=r"must be a decimal\(18,2\)"):
        dumped(tmp_path, column("price", [value]))


@pytest.mark.parametrize(
    ("first", "later", "values", "style"),
    [
        (["1.25", "2.50"], ["1.234,56", "500"], ["1234.56", "500"], "comma"),
        (["1.25", "2.50"], ["1,234.56", "2.50"], ["1234.56", "2.50"], "english"),
        (["1,25", "2,50"], ["12.50", "3.75"], ["12.50", "3.75"], "plain"),
        (["1,25", "2,50"], ["1.250", "3"], ["1250", "3"], "comma"),
        (["1.25", "2.50"], ["12.50", "1.234,56"], ["12.50"], "plain"),
        (["1.25", "2.50"], ["1.250", "1.234,56", "3"], ["3"], "plain"),
        (["1.25", "2.50"], ["1,234", "3"], ["3"], "plain"),
    ],
)
def test_numbers_change_their_style_only_where_none_means_something_else(
    tmp_path, first, later, values, style
):
    dumped(tmp_path, column("price", first))
    found = dumped(tmp_path, column("price", later))
    assert kept(found) == [Decimal(each) for each in values]
    assert style_of(found) == {"id": "plain", "price": style}


@pytest.mark.parametrize(
    ("first", "later", "days"),
    [
        (["2026-01-13"], ["2026-01-14", "01/02/2026", "03/04/2026"], ["2026-01-14"]),
        (["2026-01-13"], ["13/02/2026", "01/02/2026"], ["2026-02-13", "2026-02-01"]),
        (["2026-01-13"], ["02/13/2026", "01/02/2026"], ["2026-02-13", "2026-01-02"]),
        (["2026-01-13"], ["2026-01-14", "02/13/2026", "13/02/2026"], ["2026-01-14"]),
        (["01/13/2026"], ["01/02/2026"], ["2026-01-02"]),
        (["01/13/2026"], ["13/02/2026"], ["2026-02-13"]),
        (["01/13/2026"], ["2026-01-14", "13/02/2026", "01/02/2026"], ["2026-01-14"]),
        (["01/01/2026", "02/02/2026"], ["03/03/2026", "01/02/2026"], ["2026-03-03"]),
    ],
)
def test_dates_are_read_in_the_order_that_a_value_has_shown(tmp_path, first, later, days):
    dumped(tmp_path, column("day", first))
    found = dumped(tmp_path, column("day", later))
    assert types_of(found)["day"] == "date"
    assert kept(found) == [date.fromisoformat(each) for each in days]
    assert all("be read in one way only" in reason for _, reason, _ in rejected_of(found))


def test_an_order_that_nobody_has_shown_is_not_remembered_until_a_person_says_it(tmp_path):
    dumped(tmp_path, column("day", ["2026-01-13", "2026-01-14"]))
    with pytest.raises(WrongUse, match="--day-first"):
        dumped(tmp_path, column("day", ["01/02/2026", "03/04/2026"]))
    found = dumped(tmp_path, column("day", ["01/02/2026", "03/04/2026"]), day_first=False)
    assert kept(found) == [date(2026, 1, 2), date(2026, 3, 4)]
    assert style_of(found)["day"] == "month-first"


def test_the_order_that_a_person_names_is_that_of_the_first_delivery_too(tmp_path):
    found = dumped(tmp_path, column("day", ["01/02/2026", "03/04/2026"]), day_first=False)
    assert kept(found) == [date(2026, 1, 2), date(2026, 3, 4)]
