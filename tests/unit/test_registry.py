"""What a registry's answer means: a schema, none, or that it is to be asked again."""

from __future__ import annotations

import httpx
import pytest
from confluent_kafka import Message

from mesh.backbone.endpoint import Endpoint
from mesh.backbone.registry import Registry
from mesh.backbone.wire import frame
from mesh.contract.project import load_project
from mesh.errors import BackboneError, Refused, Unreachable
from mesh.product.intake import Checker, Intake
from mesh.product.plan import plan_product
from tests.repository import ROOT


def registry(answer: httpx.Response) -> Registry:
    """A client of a registry that has one answer for everything."""
    found = Registry(Endpoint(bootstrap_servers="127.0.0.1:1", registry_url="http://registry"))
    found._client = httpx.Client(transport=httpx.MockTransport(lambda _: answer))
    return found


def read(answer: httpx.Response):
    source = plan_product(load_project(ROOT), "call-center").inputs[0]
    message = Message(
        topic=source.contract.topic, partition=0, offset=0, key=b"k", value=frame(9, b"\x02")
    )
    return Intake(source, registry(answer), Checker()).read([message])


@pytest.mark.parametrize(
    ("status", "kind"), [(401, Refused), (403, Refused), (408, Unreachable), (429, Unreachable)]
)
def test_nothing_is_set_aside_while_the_registry_refuses_us(status, kind):
    with pytest.raises(kind, match=f"answered {status}"):
        read(httpx.Response(status, json={"message": "no"}))


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json=[1]),
        httpx.Response(200, json={}),
    ],
)
def test_nothing_is_set_aside_while_something_else_answers_for_the_registry(answer):
    with pytest.raises(Unreachable, match="no schema registry"):
        read(answer)


def test_a_schema_that_the_registry_does_not_know_is_a_reason_to_set_aside():
    (found,) = read(httpx.Response(404, json={"message": "no"})).rejections

    assert "knows no schema with id 9" in found.reason


def test_an_error_that_is_no_object_is_told_as_it_came():
    with pytest.raises(BackboneError, match=r"answered 500 to /schemas/ids/1: \[1\]"):
        registry(httpx.Response(500, json=[1])).schema(1)
