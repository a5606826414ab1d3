"""The state half of a batch: what changed in the inputs becomes what changes in state ports.

Works in the transaction that the batch has open. Not here: one port's comparison
(`state_port`), and when a whole port is compared with its topic (`recovery`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from mesh.backbone.keys import keys
from mesh.backbone.registry import Registry
from mesh.contract.arrays import as_typed
from mesh.contract.faults import Fault
from mesh.contract.model import Contract
from mesh.contract.types import arrow_schema
from mesh.errors import InvalidFile
from mesh.product.duck import is_full, quoted
from mesh.product.erasure import tombstones
from mesh.product.intake import Arrival, Checker
from mesh.product.listener import Listener
from mesh.product.masked import with_masks
from mesh.product.outbox import OUTBOX, Publisher, constant, no_messages
from mesh.product.plan import Plan, StateOutput
from mesh.product.publishers import publisher
from mesh.product.rejection import Rejection, refused
from mesh.product.state_check import StateCheck
from mesh.product.state_input import apply_state
from mesh.product.state_port import Change, StatePort
from mesh.product.storage import Storage
from mesh.product.storage_memory import is_out_of_memory
from mesh.product.transform import CAUSE

__all__ = ["StateEngine"]

# So many refused rows are remembered, not to be said at each batch.
MANY = 100_000
# Topic, port and what was refused, to the message that says so.
Reject = Callable[[str, str, Sequence[Rejection]], pa.Table]


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """One state port with what computes and what publishes it."""

    output: StateOutput
    state: StatePort
    publisher: Publisher


class StateEngine:
    """Computes the state ports of *plan* over the tables of *storage*."""

    def __init__(
        self, plan: Plan, storage: Storage, registry: Registry, checker: Checker, reject: Reject
    ) -> None:
        with_masks(plan.mask_key, storage.connection, checker.planned.connection)
        self._storage = storage
        self._reject = reject
        self._told: set[tuple[str, str, bytes | None]] = set()
        self.listener: Listener | None = None
        # What the listener is told once it is committed; None: all of it is other than before.
        self._news: list[tuple[str, Change]] | None = []
        self._ports = [self._port(each, registry, checker) for each in plan.states]
        self._nothing = {
            name: arrow_schema(contract).empty_table() for name, contract in plan.kept.items()
        }

    def _port(self, output: StateOutput, registry: Registry, checker: Checker) -> Port:
        """A port over the storage's connection."""
        made = publisher(output.contract, registry)
        check = StateCheck(output.contract, checker, made)
        state = StatePort(self._storage.connection, output.contract, output.query, check)
        return Port(output=output, state=state, publisher=made)

    def change(self, changed: Mapping[str, pa.Table], cause: pa.Table) -> Iterator[pa.Table]:
        """The messages that follow from *changed*, old and new images by input.

        *cause* has one row, the newest message of the batch.
        """
        found = {name: rows for name, rows in changed.items() if rows.num_rows}
        images = {**self._nothing, **found}
        self._news = []
        for port in self._ports:
            if set(port.output.query.inputs) & set(found):
                yield from self._said(port, port.state.changes(images), cause)

    def committed(self) -> None:
        """Tell the listener what the last batch changed, now that it is kept."""
        news, self._news = self._news, []
        if self.listener is None:
            return
        if news is None:
            self.listener.replaced()
            return
        for name, change in news:
            self.listener.changed(name, change.rows, change.gone)

    def stale(self) -> tuple[StateOutput, ...]:
        """The ports whose rows were not computed by the SQL and contract there are now."""
        rows = self._storage.connection.execute("select port, digest from mesh.state_ports")
        known = dict(rows.fetchall())
        outputs = [each.output for each in self._ports]
        return tuple(each for each in outputs if known.get(each.contract.id) != each.digest)

    def make_stale(self) -> tuple[StateOutput, ...]:
        """Have every port compared as a whole before it is computed by batches again."""
        with self._storage.transaction():
            self._storage.connection.execute("delete from mesh.state_ports")
        return self.stale()

    def compare(
        self, output: StateOutput, published: Iterable[Arrival], cause: pa.Table
    ) -> Iterator[pa.Table]:
        """Replace a port's table by what was *published*; the messages that make it true.

        Each step is to be taken in a transaction. Until the last the port is stale, and what is
        in its table is not what was published: begun again, it is replaced again.
        """
        self._news = None
        port = next(each for each in self._ports if each.output is output)
        connection, contract = self._storage.connection, output.contract
        connection.execute("delete from mesh.state_ports where port = ?", [contract.id])
        lost: set[bytes] = set()
        for _ in self._replace(contract, published, lost):
            yield no_messages()
        yield from self._said(port, port.state.recompute(), cause)
        yield self._buried(port, lost, cause)
        row = [contract.id, output.digest]
        connection.execute("insert into mesh.state_ports values (?, ?)", row)

    def _replace(
        self, contract: Contract, published: Iterable[Arrival], lost: set[bytes]
    ) -> Iterator[None]:
        """Fill the table from the port's own topic; keys of what cannot be read go to *lost*."""
        table = f"main.{quoted(contract.name)}"
        connection = self._storage.connection
        connection.execute(f"delete from {table}")
        nothing = arrow_schema(contract).append(pa.field(CAUSE, pa.int64())).empty_table()
        for each in published:
            apply_state(connection, table, contract, rows=each.rows, tombstones=tombstones(each))
            lost |= {one.key for one in each.rejections if one.key is not None}
            yield
        texts = [each.decode("utf-8", "replace") for each in sorted(lost)]
        gone = pa.table(
            {"key": pa.array(texts, pa.string()), CAUSE: pa.array(range(len(texts)), pa.int64())}
        )
        # Said again if it is true, whatever cannot be read stands last on the topic.
        apply_state(connection, table, contract, rows=nothing, tombstones=gone)
        yield

    def _said(self, port: Port, changes: Iterator[Change], cause: pa.Table) -> Iterator[pa.Table]:
        """The messages of changes: rows, tombstones, and what was refused."""
        contract, count = port.output.contract, 0
        for change in computed(port, changes):
            if self._news is not None:
                self._news.append((port.output.port.name, change))
            key, value = keys_and_values(port, change)
            yield self._messages(contract.topic, key, value, cause, first=count)
            count += len(key)
            if change.violations:
                table = change.refused
                table = table.append_column(CAUSE, constant(0, table.num_rows, pa.int64()))
                rejections = self._untold(contract.id, refused([table], cause, change.violations))
                yield self._reject(contract.rejected_topic, contract.id, rejections)

    def _untold(self, port: str, rejections: Sequence[Rejection]) -> list[Rejection]:
        """What was not said yet of a port's rows: they are computed again and again."""
        new = {(port, each.rule, each.value): each for each in rejections}
        new = {key: each for key, each in new.items() if key not in self._told}
        if len(self._told) > MANY:
            self._told.clear()
        self._told |= new.keys()
        return list(new.values())

    def forget_told(self) -> None:
        """Say again what was refused: the transaction that said it failed."""
        self._told.clear()

    def _buried(self, port: Port, lost: set[bytes], cause: pa.Table) -> pa.Table:
        """Tombstones for the keys of unreadable messages that have no row."""
        contract = port.output.contract
        if lost:
            names = ", ".join(quoted(each.name) for each in contract.key_fields)
            found = self._storage.connection.sql(
                f"select {names} from main.{quoted(contract.name)}"
            ).to_arrow_table()
            schema = arrow_schema(contract)
            found = found.cast(pa.schema([schema.field(n) for n in found.column_names]))
            lost = lost - set(keys(found, contract).to_pylist())
        key = pa.array(sorted(lost), pa.binary())
        nothing = pa.nulls(len(key), pa.binary())
        return self._messages(contract.topic, key, nothing, cause, mark="lost-")

    def _messages(
        self,
        topic: str,
        key: pa.Array,
        value: pa.Array,
        cause: pa.Table,
        *,
        first: int = 0,
        mark: str = "",
    ) -> pa.Table:
        """Messages with ids of their own: no two published batches begin at the same sequence."""
        start, count = self._storage.seq, len(key)
        time, trace = cause["time"][0], cause["trace"][0]
        return pa.table(
            {
                "topic": constant(topic, count),
                "key": key,
                "value": value,
                "id": [f"{topic}/{start}/{mark}{n}" for n in range(first, first + count)],
                "time": pa.repeat(time, count),
                "trace": pa.repeat(trace, count),
            },
            schema=OUTBOX,
        )


def keys_and_values(port: Port, change: Change) -> tuple[pa.Array, pa.ChunkedArray]:
    """The messages of a change: its rows, and then its tombstones."""
    contract = port.output.contract
    schema = arrow_schema(contract)
    rows = as_typed(change.rows, schema)
    gone = change.gone.cast(pa.schema([schema.field(n) for n in change.gone.column_names]))
    key = pa.concat_arrays([keys(rows, contract), keys(gone, contract)])
    said, nothing = port.publisher.values(rows), pa.nulls(gone.num_rows, pa.binary())
    return key, pa.chunked_array([*said.chunks, nothing])


def computed(port: Port, changes: Iterator[Change]) -> Iterator[Change]:
    """What *changes* gives. Raises `InvalidFile` where the port's query fails on the data."""
    try:
        yield from changes
    except duckdb.Error as error:
        if is_full(error) or is_out_of_memory(error):
            raise  # the transaction's, not the query's
        problem = f"it fails on the data there is: {str(error).splitlines()[0]}"
        remedy = "mend the query (try_cast gives null); the product goes on where it stopped"
        path = port.output.query.path
        raise InvalidFile([Fault(path=path, line=0, problem=problem, remedy=remedy)]) from error
