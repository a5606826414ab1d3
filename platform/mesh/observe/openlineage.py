"""OpenLineage events of a product's runs: what was read and written, with schemas and columns.

    job = Job(project, plan, "127.0.0.1:9092")
    events = [event(job, each) for each in moments]

Inputs and outputs are the topics of which messages really went (`mesh.product.ran`); only their
fields come from contracts, and their column lineage from the SQL. Made without OpenLineage's own
client, and checked against its schema by tests. Not here: judging events (`mesh.contract`).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version

from mesh.contract.columns import PortColumns, Ref, columns_of
from mesh.contract.model import Contract
from mesh.contract.openlineage import SPEC, facet_schema
from mesh.contract.project import Project
from mesh.observe.runlog import RunLog
from mesh.product.plan import Plan
from mesh.product.ran import Flow, Moment, Ran

__all__ = ["Job", "event", "events_of", "namespace_of"]

Document = dict[str, object]


class Job:
    """One product as the job of OpenLineage: what its topics carry, and where they are."""

    def __init__(self, project: Project, plan: Plan, bootstrap_servers: str) -> None:
        self._project, self._plan = project, plan
        self.namespace = f"mesh.{plan.product.domain}"
        self.name = plan.product.id
        self.version = plan.product.version
        self.broker = namespace_of(bootstrap_servers)

    @cached_property
    def contracts(self) -> Mapping[str, Contract]:
        """The contracts of its inputs and outputs by topic."""
        found = [each.contract for each in (*self._plan.inputs, *self._plan.outputs)]
        return {each.topic: each for each in found}

    @cached_property
    def columns(self) -> Mapping[str, PortColumns]:
        """Of what each output port is made, by topic; read when it is first asked for."""
        outputs = [each.contract for each in self._plan.outputs]
        return {each.topic: columns_of(self._project, each) for each in outputs}

    def topic(self, contract_id: str) -> str:
        """The topic of a port."""
        return self._project.contract(contract_id).topic


def namespace_of(bootstrap_servers: str) -> str:
    """How OpenLineage names a Kafka: by the first of its addresses."""
    return f"kafka://{bootstrap_servers.split(',')[0].strip()}"


def event(job: Job, moment: Moment) -> Document:
    """The event of one moment of a run."""
    return {
        "eventTime": moment.at.isoformat().replace("+00:00", "Z"),
        "eventType": moment.kind,
        "producer": producer(),
        "schemaURL": f"{SPEC}#/$defs/RunEvent",
        "run": run_of(moment),
        "job": {"namespace": job.namespace, "name": job.name, "facets": job_facets()},
        "inputs": [read_dataset(job, *each) for each in sorted(moment.read.items())],
        "outputs": [written_dataset(job, *each) for each in sorted(moment.written.items())],
    }


def run_of(moment: Moment) -> Document:
    """The run; of one that failed, why."""
    if moment.kind not in ("FAIL", "ABORT"):
        return {"runId": moment.run}
    failure = {"message": moment.reason, "programmingLanguage": "Python"}
    return {
        "runId": moment.run,
        "facets": {"errorMessage": facet("ErrorMessageRunFacet", failure)},
    }


def job_facets() -> Document:
    """What kind of job a product is."""
    kind = {"processingType": "STREAMING", "integration": "MESH", "jobType": "PRODUCT"}
    return {"jobType": facet("JobTypeJobFacet", kind)}


def read_dataset(job: Job, topic: str, flow: Flow) -> Document:
    """A topic that was read, and how many messages of it."""
    counted = facet("InputStatisticsInputDatasetFacet", {"rowCount": flow.messages})
    return {**dataset(job, topic), "inputFacets": {"inputStatistics": counted}}


def written_dataset(job: Job, topic: str, flow: Flow) -> Document:
    """A topic that was written, how many messages of it, and of what it is made."""
    counted = facet("OutputStatisticsOutputDatasetFacet", {"rowCount": flow.messages})
    found = dataset(job, topic, has_columns=True)
    return {**found, "outputFacets": {"outputStatistics": counted}}


def events_of(job: Job, log: RunLog, ran: Ran) -> list[Document]:
    """The events of a product's last runs and, last, of the one that goes on."""
    moments, now = log.moments(), ran.moment("RUNNING")
    if moments and (moments[-1].run, moments[-1].kind) == (now.run, now.kind):
        moments.pop()
    return [event(job, each) for each in (*moments, now)]


def dataset(job: Job, topic: str, *, has_columns: bool = False) -> Document:
    """A topic, with its fields where a contract says them."""
    facets: Document = {}
    if (contract := job.contracts.get(topic)) is not None:
        facets["schema"] = facet("SchemaDatasetFacet", {"fields": fields_of(contract)})
    if has_columns and (columns := job.columns.get(topic)) is not None and not columns.unknown:
        facets["columnLineage"] = facet("ColumnLineageDatasetFacet", column_lineage(job, columns))
    return {"namespace": job.broker, "name": topic, "facets": facets}


def fields_of(contract: Contract) -> list[Document]:
    """The fields of a contract as the schema facet has them."""
    return [
        {"name": each.name, "type": each.type.kind, "description": each.description}
        for each in contract.fields
    ]


def column_lineage(job: Job, columns: PortColumns) -> Document:
    """Values field by field, and what decides the rows for the dataset as a whole."""
    return {
        "fields": {
            name: {"inputFields": [input_field(job, ref, "DIRECT") for ref in sorted(refs)]}
            for name, refs in columns.values.items()
        },
        "dataset": [input_field(job, ref, "INDIRECT") for ref in sorted(columns.decides)],
    }


def input_field(job: Job, ref: Ref, kind: str) -> Document:
    """A field of an input."""
    topic = job.topic(ref.contract_id)
    transformations = [{"type": kind}]
    return {
        "namespace": job.broker,
        "name": topic,
        "field": ref.field,
        "transformations": transformations,
    }


def facet(name: str, content: Document | Mapping[str, object]) -> Document:
    """A facet, which says who made it and by which schema."""
    return {"_producer": producer(), "_schemaURL": facet_schema(name), **content}


def producer() -> str:
    """Who makes these events."""
    try:
        return f"urn:reference-data-mesh:{version('reference-data-mesh')}"
    except PackageNotFoundError:
        return "urn:reference-data-mesh"
