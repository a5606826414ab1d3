"""A product's names stand in a query's text where those of ports stood, and nowhere else."""

from __future__ import annotations

import pytest

from mesh.errors import WrongUse
from mesh.wiring.query_text import renamed


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("from a.b.c", "from c"),
        ("from a.b.c as d", "from c as d"),
        ("from a.b.d", "from a.b.d"),
        ("select c.n from a.b.c", "select c.n from c"),
        ("select a.b.c.n from a.b.c", "select c.n from c"),
        ("select b.c.n from a.b.c", "select c.n from c"),
        ("select 'a.b.c', 'é' from a.b.c -- a.b.c", "select 'a.b.c', 'é' from c -- a.b.c"),
        ('from "a" . B.C', "from c"),
        ("with c as (from x.y.z) from c, a.b.c d", "with c as (from y_z) from c, c d"),
        ("select z.n from x.y.z", "select z.n from y_z as z"),
        ("select z.* from x.y.z", "select z.* from y_z as z"),
        ("select count(distinct z) from x.y.z", "select count(distinct z) from y_z as z"),
        ("from x.y.z join p.q.r using (n)", 'from y_z join "order" using (n)'),
        ("-- rows of: b_c\nfrom a.b.c", "-- rows of: c\nfrom c"),
    ],
)
def test_names_of_ports_are_replaced_and_nothing_else_is(old, new):
    names = {"a.b.c": "c", "x.y.z": "y_z", "p.q.r": "order", "b_c": "c"}

    assert renamed(old, names) == new


def test_a_name_with_a_comment_in_it_is_not_guessed():
    with pytest.raises(WrongUse, match="in one piece"):
        renamed("from a.b /* of b */ .c", {"a.b.c": "c"})
