"""The demo's step at the product's door: one question in every format, and a pause meanwhile."""

from __future__ import annotations

import io

import httpx

from mesh.backbone.direct import direct
from mesh.cli.app import App
from mesh.cli.demo_checks import check
from mesh.cli.pause import change
from mesh.cli.read import find_port, get_token, rows_url
from mesh.errors import Unreachable

__all__ = ["ask_while_paused"]

QUESTION = {"queue": "billing", "limit": "all", "fields": "call_id"}


def ask_while_paused(app: App) -> str:
    """Ask for billing calls in each format while the product is paused, and let it go on."""
    paused = change(app, "call-center", "pause", None, reason="the demo shows it")
    try:
        check(paused["state"] == "paused", f"it is {paused['state']}")
        found, etag = in_every_format(app)
    finally:
        resumed = change(app, "call-center", "resume", None)
    check(resumed["state"] != "paused", "it does not go on")
    check(len(set(map(frozenset, found.values()))) == 1, "two formats say different things")
    count = len(found["json"])
    check(count > 0, "no call was about a bill")
    return (
        f"paused, it still answers: {count} calls about a bill, the same in {len(found)} formats; "
        f"asked again with {etag[:8]}…, it says that nothing has changed"
    )


def in_every_format(app: App) -> tuple[dict[str, set[str]], str]:
    """The ids of the calls by format, and the validator of the last answer."""
    import pyarrow as pa
    import pyarrow.csv as pacsv
    import pyarrow.parquet as pq

    contract = find_port(app.project, "calls")
    url = rows_url(app, contract)
    headers = {"Authorization": f"Bearer {get_token(app, 'ada', contract.product)}"}
    try:
        answers = {
            name: httpx.get(
                url, params={**QUESTION, "format": name}, headers=headers, **direct(url)
            ).raise_for_status()
            for name in ("json", "csv", "arrow", "parquet")
        }
        etag = answers["json"].headers["etag"]
        again = httpx.get(
            url,
            params={**QUESTION, "format": "json"},
            headers={**headers, "If-None-Match": etag},
            **direct(url),
        )
    except httpx.HTTPError as error:
        raise Unreachable(f"the door at {url} does not answer ({error})") from error
    check(again.status_code == 304, "it sends again what has not changed")
    read = {
        "csv": pacsv.read_csv(io.BytesIO(answers["csv"].content)),
        "arrow": pa.ipc.open_stream(answers["arrow"].content).read_all(),
        "parquet": pq.read_table(io.BytesIO(answers["parquet"].content)),
    }
    found = {name: set(table["call_id"].to_pylist()) for name, table in read.items()}
    return {"json": {row[0] for row in answers["json"].json()["rows"]}, **found}, etag
