"""A feed whose ledger is lost, or stands in another state folder, learns what was sent."""

from __future__ import annotations

import shutil
from contextlib import contextmanager

import pytest

from mesh.errors import StorageError
from mesh.product.feed import Feed
from mesh.product.mapping import FileBatch
from tests.stream import calls

pytestmark = [pytest.mark.broker, pytest.mark.slow]

PRODUCT, STAGING = "call-center", "call-center.finished-calls"


def keys_on_topic(workbench) -> list[bytes]:
    return [message.key() for message in workbench.messages(workbench.contract(STAGING).topic)]


def test_a_lost_ledger_is_learnt_from_the_topic(workbench):
    workbench.feed(PRODUCT, calls(50))
    shutil.rmtree(workbench.home.feed(STAGING))

    fed = workbench.feed(PRODUCT, calls(70))

    assert (fed.count_new, fed.count_known) == (20, 50)
    keys = keys_on_topic(workbench)
    assert len(keys) == len(set(keys)) == 70


def test_an_old_copy_of_the_ledger_forgets_what_it_never_sent_and_learns_the_rest(workbench):
    workbench.feed(PRODUCT, calls(10))
    folder = workbench.home.feed(STAGING)
    old = folder.with_name("old")
    shutil.copytree(folder, old)
    workbench.feed(PRODUCT, calls(30))
    shutil.rmtree(folder)
    old.rename(folder)

    fed = workbench.feed(PRODUCT, calls(40))

    assert (fed.count_new, fed.count_known) == (10, 30)
    keys = keys_on_topic(workbench)
    assert len(keys) == len(set(keys)) == 40


def test_two_feeds_from_two_folders_at_once_do_not_send_twice(workbench, tmp_path):
    with workbench.feeding(PRODUCT) as first, feeding_from(workbench, tmp_path / "other") as other:
        list(other.run([batch(0, 20)], lambda bad: None))

        with pytest.raises(StorageError, match="being fed from another state folder"):
            list(first.run([batch(15, 10)], lambda bad: None))
    fed = workbench.feed(PRODUCT, calls(25))

    assert fed.count_new == 5
    keys = keys_on_topic(workbench)
    assert len(keys) == len(set(keys)) == 25


@contextmanager
def feeding_from(workbench, folder):
    """A feed as from another state folder with the same secrets."""
    feed = Feed(
        workbench.contract(STAGING),
        folder,
        endpoint=workbench.backbone.endpoint,
        principal=workbench.principal("telephony"),
    )
    try:
        yield feed
    finally:
        feed.close()


def batch(start: int, count: int) -> FileBatch:
    return FileBatch(table=calls(count, start=start), bad=())
