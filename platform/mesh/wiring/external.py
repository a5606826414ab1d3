"""Somebody else's Kafka, as its administrator; needs nothing of the embedded one."""

from __future__ import annotations

import re
import time

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from mesh.backbone.admin import Admin
from mesh.backbone.endpoint import Endpoint, Principal
from mesh.backbone.registry import Registry
from mesh.errors import Refused, SettingsError, Unreachable
from mesh.home import Home
from mesh.settings import Settings

__all__ = ["external_admin"]

PATIENCE_S = 5.0
NO_SCHEMA = 2**31 - 1


def external_admin(settings: Settings, home: Home, endpoint: Endpoint) -> Admin:
    """The administrator that the settings name, once Kafka and the registry have answered.

    Without a password in the settings it is a principal of the state folder. Raises
    `Unreachable` or `Refused` where Kafka or the registry does not answer, or not to us.
    """
    if settings.sasl_username is None:
        raise SettingsError(
            "an external Kafka needs its administrator, who makes users, topics and rights: "
            "set MESH_SASL_USERNAME and MESH_SASL_PASSWORD"
        )
    name, password = settings.sasl_username, settings.sasl_password
    secret = home.secret(name) if password is None else password.get_secret_value()
    admin = Principal(name=name, secret=secret)
    check_kafka(endpoint, admin, settings.admin_mechanism)
    with Registry(endpoint) as registry:
        registry.schema(NO_SCHEMA)  # it answers that there is none
    return Admin(endpoint, admin, settings.admin_mechanism)


def check_kafka(endpoint: Endpoint, admin: Principal, mechanism: str | None) -> None:
    """Raise unless Kafka answers *admin*; the first request proper would only say "timed out"."""
    errors: list[KafkaError] = []
    config = {**endpoint.client(admin, mechanism), "log_level": 0, "error_cb": errors.append}
    try:
        client = AdminClient(config)
    except KafkaException as exception:
        text = exception.args[0].str()
        raise SettingsError(f"the settings of Kafka cannot be used: {text}") from exception
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            client.list_topics(timeout=1.0)
        except KafkaException as exception:
            client.poll(0)  # delivers the errors
            failure = exception
        else:
            return
        refusals = [each for each in errors if each.code() == KafkaError._AUTHENTICATION]
        if refusals:
            raise Refused(
                f"Kafka refused the administrator {admin.name!r} ({plain(refusals[0])}): see "
                "MESH_SASL_USERNAME, MESH_SASL_PASSWORD and MESH_ADMIN_MECHANISM"
            ) from failure
        if time.monotonic() > deadline:
            told = [each for each in errors if each.code() != KafkaError._ALL_BROKERS_DOWN]
            reason = plain(told[0] if told else failure.args[0])
            raise Unreachable(
                f"Kafka does not answer at {endpoint.bootstrap_servers} ({reason}): is it "
                "running? See MESH_BOOTSTRAP_SERVERS and MESH_SECURITY_PROTOCOL"
            ) from failure


def plain(error: KafkaError) -> str:
    """What librdkafka says, without which of its connections it was and for how long."""
    return re.sub(r"^\S+/\w+: | \(after \d+ms in state \w+\)$", "", error.str())
