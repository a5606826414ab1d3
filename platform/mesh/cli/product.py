"""`mesh product`: check data products against the standards and the mesh's policies."""

from __future__ import annotations

import sys

import click

from mesh.cli.findings import as_line, as_record, faults_as_json, print_json
from mesh.contract.policies import check_product
from mesh.contract.project import load_project

__all__ = ["product"]


@click.group()
def product() -> None:
    """Check data products (Bitol ODPS 1.1.0)."""


@product.command()
@click.argument("ids", nargs=-1)
@click.option("--json", "is_json", is_flag=True, help="Print JSON.")
@click.pass_context
def validate(context: click.Context, ids: tuple[str, ...], is_json: bool) -> None:
    """Check the files of all products, and the policies of those named (or of all).

    Example: mesh product validate call-center

    Exits with 1 if there is any error; warnings alone do not count.
    """
    with faults_as_json(is_json=is_json):
        project = load_project(context.obj.project_root)
    chosen = [project.product(one) for one in dict.fromkeys(ids or project.products)]
    findings = [found for one in chosen for found in check_product(one, project)]
    count_errors = sum(found.level == "error" for found in findings)
    if is_json:
        print_json(
            {
                "ok": not count_errors,
                "products": [one.id for one in chosen],
                "findings": [as_record(one.fault, level=one.level) for one in findings],
            }
        )
    else:
        for found in findings:
            click.echo(as_line(found.fault, level=found.level))
        names = ", ".join(one.id for one in chosen) or "no product"
        click.echo(f"{names}: {count_errors} error{'' if count_errors == 1 else 's'}")
    sys.exit(1 if count_errors else 0)
