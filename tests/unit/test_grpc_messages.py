"""Messages made from contracts: the number of a field belongs to its name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mesh.ports.grpc_messages import messages_of, new_pool, number_of
from tests.mapped import notes_contract


def numbers(messages: Any) -> dict[str, int]:
    """The number of each field of a row."""
    fields = messages.batch.DESCRIPTOR.fields_by_name["rows"].message_type.fields
    return {each.name: each.number for each in fields}


def test_a_field_keeps_its_number_whatever_comes_before_it():
    whole = notes_contract()
    fewer = replace(whole, fields=tuple(reversed(whole.fields[::2])))
    before, after = (numbers(messages_of(each, new_pool())) for each in (fewer, whole))

    assert before.items() <= after.items()


def test_two_names_of_one_number_get_two_and_none_is_reserved():
    first = number_of("a", ())

    assert number_of("a", {first}) == first + 1
    assert all(not 19_000 <= number_of(str(each), ()) < 20_000 for each in range(200_000))
