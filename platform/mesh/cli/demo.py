"""`mesh demo`: the whole mesh in one go, each step shown, done, and checked."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass

import click

from mesh.cli import lifecycle
from mesh.cli.app import App
from mesh.cli.demo_access import ask_for_access, refuse_foreign_writes
from mesh.cli.demo_audit import prove_a_call
from mesh.cli.demo_catalogue import register_a_product
from mesh.cli.demo_checks import arrived, call_center, check, list_of, seconds, services
from mesh.cli.demo_doors import ask_while_paused
from mesh.cli.demo_evolution import CONTRACT, refuse_change
from mesh.cli.demo_keyring import RECORDS, ask_the_ring
from mesh.cli.demo_kill import KILLED, kill
from mesh.cli.demo_ladder import look_at_the_ladder
from mesh.cli.demo_legacy import COMPARE, compare_a_report
from mesh.cli.demo_lineage import compare_lineage
from mesh.cli.demo_profile import look_at_both_users
from mesh.cli.demo_quarantine import break_a_message
from mesh.cli.demo_queries import FED, RUN, follow_a_mart
from mesh.cli.demo_sql import SQL, ask_three_domains
from mesh.cli.feed import feed_product
from mesh.cli.output import show_table
from mesh.cli.read import fetch_rows, find_port
from mesh.control.running import find_running

__all__ = ["demo"]

SEED, COUNT = 7, 1000
FEED = f"mesh feed call-center --calls {COUNT} --seed {SEED}"
CATCH_UP_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step: what it shows, the command that does the same by hand, and doing it."""

    title: str
    command: str
    act: Callable[[App], str]


@click.command()
@click.option("--keep", is_flag=True, help="Leave the mesh running at the end.")
@click.option(
    "--backbone",
    type=click.Choice(["embedded", "external"]),
    default="embedded",
    show_default=True,
    help="external: start nothing; feed and read the mesh that the settings name.",
)
@click.pass_obj
def demo(app: App, *, keep: bool, backbone: str) -> None:
    r"""Start the mesh, feed it, read it, break a rule on purpose, and check every result.

    Takes about a minute. At the end the mesh is stopped, and its state removed if this
    demo made it.

    \b
    Example:
      mesh demo
      mesh demo --keep
    """
    if backbone == "external":
        take((FIND, *STEPS), app)
        return
    is_new = not app.settings.home_path.exists()
    was_running = find_running(app.home) is not None
    try:
        take((START, *STEPS, KILL), app)
    except BaseException:
        end(app, is_new=is_new, stays=was_running)
        raise
    if keep:
        click.echo("the mesh stays: try `mesh status`, stop it with `mesh down`")
        return
    end(app, is_new=is_new, stays=was_running)


def take(steps: tuple[Step, ...], app: App) -> None:
    """Show each step, do it and check it."""
    for number, step in enumerate(steps, 1):
        click.echo(f"\n{number}. {step.title}\n   $ {step.command}")
        click.echo(f"   ✓ {step.act(app)}")
    click.echo(f"\nall {len(steps)} steps hold")


def end(app: App, *, is_new: bool, stays: bool) -> None:
    """Leave things as they were found."""
    if stays:
        click.echo("the mesh ran before this demo and goes on")
        return
    lifecycle.stop(app)
    if is_new:
        shutil.rmtree(app.home.path, ignore_errors=True)


def start(app: App) -> str:
    """Start the mesh."""
    began = time.monotonic()
    lifecycle.start(app)
    names = running(app)
    return f"{len(names)} services run after {time.monotonic() - began:.0f} s: {', '.join(names)}"


def find(app: App) -> str:
    """Find what runs already."""
    return f"there run {', '.join(running(app))}"


def running(app: App) -> list[str]:
    """The names of the services, all of which must run."""
    deadline = time.monotonic() + CATCH_UP_S
    while True:
        states = {
            str(each["name"]): each.get("state") for each in services(app) if each["kind"] != "task"
        }
        # A product that catches up counts as started.
        if "recovering" not in states.values() or time.monotonic() > deadline:
            break
        time.sleep(0.1)
    check(set(states.values()) == {"running"}, f"not all runs: {states or 'nothing is there'}")
    return list(states)


def validate(app: App) -> str:
    """Check every product against the policies."""
    from mesh.contract.policies import check_product

    products = app.project.products.values()
    findings = [each for product in products for each in check_product(product, app.project)]
    errors = [each for each in findings if each.level == "error"]
    check(not errors, f"policies are broken: {errors}")
    return f"{len(app.project.contracts)} contracts keep every policy"


def feed(app: App) -> str:
    """Send calls as the telephony system does, and wait for the product to take them in."""
    fed = feed_product(app, "call-center", world=(SEED, COUNT))[0].fed
    check(fed.count_read == COUNT and fed.count_bad == 0, f"the feed is not whole: {fed}")
    check(arrived(app, COUNT), f"not all calls arrived: {call_center(app)}")
    return f"{fed.count_new:,} new calls went from the telephony system into the product's DuckDB"


def read(app: App) -> str:
    """Read them back, and check the one thing that the product computes."""
    contract = find_port(app.project, "calls")
    document = fetch_rows(app, contract, 3, "ada")
    columns, rows = list_of(document, "columns"), list_of(document, "rows")
    shown = ("phone_number", "queue", "started_at", "ended_at", "duration_s")
    calls = [
        dict(zip(map(str, columns), row, strict=True)) for row in rows if isinstance(row, list)
    ]
    show_table(shown, [[call[name] for name in shown] for call in calls])
    check(len(calls) == 3, "three rows were asked for")
    check(all(call["duration_s"] == seconds(call) for call in calls), "a duration is wrong")
    return "ada, who is granted the port, reads them; each duration is end minus start"


def feed_again(app: App) -> str:
    """Send the same calls again."""
    before = call_center(app)
    fed = feed_product(app, "call-center", world=(SEED, COUNT))[0].fed
    check(fed.count_new == 0 and fed.count_known == COUNT, f"something was fed twice: {fed}")
    check(call_center(app)["rows"] == before["rows"], "a row came twice")
    return f"{fed.count_known:,} of {COUNT:,} were fed before: nothing is doubled"


FIND = Step(title="Find the mesh that runs", command="mesh status", act=find)
START = Step(title="Start Kafka, the registry and every product", command="mesh up", act=start)
# Of processes that the demo may kill, on a mesh of this machine.
KILL = Step(
    title="Kill the product while it is fed",
    command=f"mesh feed call-center --calls {COUNT + FED + KILLED} --seed {SEED}",
    act=kill,
)
STEPS = (
    Step(title="Check the products by the policies", command="mesh product validate", act=validate),
    Step(title="Feed calls through Kafka into the call-center product", command=FEED, act=feed),
    Step(
        title="Read the product's port as an analyst",
        command="mesh read calls --limit 3 --as ada",
        act=read,
    ),
    Step(
        title="Ask the product's door in every format while the product is paused",
        command="mesh read calls --where queue=billing --all --format csv --as ada",
        act=ask_while_paused,
    ),
    Step(title="Feed the same calls once more", command=FEED, act=feed_again),
    Step(title="Ask for access", command="mesh access list calls", act=ask_for_access),
    Step(title="Prove a call", command="mesh audit prove calls 0 0", act=prove_a_call),
    Step(
        title="Send a message that is cut short",
        command="mesh quarantine list call-center",
        act=break_a_message,
    ),
    Step(
        title="Ask the key ring who held the contract of a number",
        command=f"mesh feed contracts --records {RECORDS} --seed {SEED}",
        act=ask_the_ring,
    ),
    Step(title="Ask three domains in one SQL query", command=SQL, act=ask_three_domains),
    Step(
        title="Ask a query that has a name, and see the mart of its rows follow a feed",
        command=RUN,
        act=follow_a_mart,
    ),
    Step(title="Compare a report with the warehouse's", command=COMPARE, act=compare_a_report),
    Step(
        title="Port a number, and see both users in the unified view",
        command="mesh read profiles --where role=user --as florence",
        act=look_at_both_users,
    ),
    Step(
        title="Register a product in the catalogue, as its owner and as a stranger",
        command="mesh register products/call_center --as grace",
        act=register_a_product,
    ),
    Step(
        title="Compare what the products read with what they declare",
        command="mesh lineage --observed",
        act=compare_lineage,
    ),
    Step(
        title="See how far the product has come, by what the catalogue saw of it",
        command="mesh ladder call-center",
        act=look_at_the_ladder,
    ),
    Step(
        title="Write to topics of others, each with its own real secret",
        command="mesh drill foreign-write",
        act=refuse_foreign_writes,
    ),
    Step(
        title="Change a contract so that its readers would break",
        command=f"mesh contract check {CONTRACT}",
        act=refuse_change,
    ),
)
