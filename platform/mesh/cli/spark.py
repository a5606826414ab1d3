"""`mesh spark`: a state port made once more, by Apache Spark, of the same inputs."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from mesh.cli.app import App
from mesh.cli.export import free_path
from mesh.cli.output import printable, show_json, steps
from mesh.cli.read import find_port, rows_url_and_token
from mesh.errors import WrongUse

if TYPE_CHECKING:
    from mesh.batch.differences import Compared
    from mesh.product.plan import Plan, StateOutput
    from mesh.product.position import Offsets

__all__ = ["spark"]


@click.command()
@click.argument("port")
@click.option("--sql", "is_sql", is_flag=True, help="Print the SQL that Spark is given, no more.")
@click.option("--out", type=click.Path(path_type=Path), help="Keep Spark's rows in this folder.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def spark(app: App, port: str, *, is_sql: bool, out: Path | None, as_json: bool) -> None:
    r"""Make the rows of the state port PORT with Spark, and compare them with the product's.

    The product's inputs are read once more, up to the offsets that its rows are true for, with
    its own secret; its SQL is translated; and the rows must be equal. Exit code 1 where they are
    not. Needs the extra: pip install 'reference-data-mesh[spark]'.

    \b
    Example:
      mesh spark contracts
      mesh spark key-ring.links --out links
      mesh spark contracts --sql
    """
    from mesh.batch.translation import to_spark

    plan, output = planned(app, port)
    sql = to_spark(output.query.sql)
    if is_sql:
        click.echo(sql)
        return
    if out is not None:
        free_path(out, is_forced=False)
    with TemporaryDirectory(prefix="mesh-spark-") as folder:
        made = Made(app=app, plan=plan, output=output, folder=Path(folder))
        offsets, found = made.run(sql)
        if out is not None:
            shutil.move(made.counted, out)
    if as_json:
        show_json(as_document(output, offsets, found))
    else:
        tell(output, found)
    if not found.is_equal:
        raise click.exceptions.Exit(1)


def planned(app: App, port: str) -> tuple[Plan, StateOutput]:
    """The state port that *port* means, and its product. Raises `WrongUse` for another."""
    from mesh.backbone.endpoint import Principal
    from mesh.product.plan import plan_product
    from mesh.wiring.accepted import watching

    contract = find_port(app.project, port)
    if contract.kind != "state":
        raise WrongUse(f"{contract.id} is no state port: its SQL is no query over all that is kept")
    plan = plan_product(app.project, contract.product, app.found_home.mask_key)
    if plan.families and app.found_home.path.exists():
        # Relations that joined by the catalogue alone are its inputs too.
        principal = Principal(name=contract.product, secret=app.home.secret(contract.product))
        with watching(
            app.project, contract.product, app.endpoint, principal, lambda _: None
        ) as watch:
            plan = (watch and watch.changed(plan)) or plan
    return plan, next(each for each in plan.states if each.contract.id == contract.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A state port that is made once more in *folder*."""

    app: App
    plan: Plan
    output: StateOutput
    folder: Path

    @property
    def counted(self) -> Path:
        """Where Spark's rows are."""
        return self.folder / "counted"

    def run(self, sql: str) -> tuple[Offsets, Compared]:
        """Make it by *sql*; the offsets of its inputs, and how it compares."""
        from mesh.batch.differences import compared
        from mesh.batch.inputs import input_files
        from mesh.batch.spark import Spark

        rows = self.folder / "rows.parquet"
        with steps() as progress, Spark(self.folder / "spark") as engine:
            progress.say("what the product has made")
            offsets = self._download(rows)
            product = self.plan.product.id
            paths = input_files(
                self.plan,
                offsets,
                self.folder,
                endpoint=self.app.endpoint,
                principal=self.app.principal(product),
                report=lambda lag: progress.say(f"its inputs: {lag:,} messages to read"),
            )
            progress.say("Spark makes it once more")
            for name in self.output.query.inputs:
                engine.view(name, paths[name])
            engine.write(sql, self.counted)
        return offsets, compared(self.output.contract, rows, self.counted, self.folder)

    def _download(self, path: Path) -> Offsets:
        """The product's own rows, and the offsets of its inputs that they are true for."""
        import json

        import pyarrow.parquet as pq

        from mesh.batch.parquet import OFFSETS
        from mesh.cli.doors import receive
        from mesh.product.position import offsets_from

        contract = self.output.contract
        url, token = rows_url_and_token(self.app, contract, contract.product)
        request = {
            "params": {"limit": "all", "format": "parquet"},
            "headers": {"Authorization": f"Bearer {token}"},
        }
        receive("GET", url, request, path)
        return offsets_from(json.loads(pq.read_schema(path).metadata[OFFSETS]))


def as_document(output: StateOutput, offsets: Offsets, found: Compared) -> Mapping[str, object]:
    """What was found, as JSON."""
    return {
        "port": output.contract.id,
        "ok": found.is_equal,
        "rows": found.rows,
        "refused": found.count_refused,
        "missing": found.count_missing,
        "foreign": found.count_foreign,
        "rows_missing": list(found.missing),
        "rows_foreign": list(found.foreign),
        "offsets": offsets,
    }


def tell(output: StateOutput, found: Compared) -> None:
    """What was found, for a person."""
    if found.is_equal:
        click.echo(f"{output.contract.id}: {found.rows} rows, equal in the product and in Spark")
        return
    click.echo(
        f"{output.contract.id}: {found.count_missing} rows only in the product,"
        f" {found.count_foreign} only in Spark"
    )
    for what, rows in (("product", found.missing), ("spark", found.foreign)):
        for row in rows:
            click.echo(f"{what}: {printable(row)}")
