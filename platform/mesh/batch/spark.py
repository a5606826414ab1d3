"""Apache Spark on this machine: SQL over Parquet files, with the result in Parquet again.

    with Spark(folder) as spark:
        spark.view("calls", folder / "calls.parquet")
        spark.write("select count(*) from calls", folder / "counted")

It is the package pyspark's Spark, on the Java that the mesh has; it listens on the loopback, and
its process ends with the block, and with ours. pyspark's own Python is not used: it brings pandas,
and starts a Java that has to have modules which ours has not.
"""

from __future__ import annotations

import struct
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mesh.backbone.closing import Closing
from mesh.backbone.jvm import Program, java_command
from mesh.backbone.process import last_lines, stop
from mesh.errors import MeshError, SettingsError, Unreachable

__all__ = ["Spark"]

HEAP_MB = 1024
START_TIMEOUT_S = 300.0
# What Spark asks of a Java that keeps its inside to itself (its launcher's list).
OPENED = (
    "java.lang", "java.lang.invoke", "java.lang.reflect", "java.io", "java.net", "java.nio",
    "java.util", "java.util.concurrent", "java.util.concurrent.atomic", "jdk.internal.ref",
    "sun.nio.ch", "sun.nio.cs", "sun.util.calendar",
)  # fmt: skip
FLAGS = (
    *(f"--add-opens=java.base/{each}=ALL-UNNAMED" for each in OPENED),
    "-Djdk.reflect.useDirectMethodHandle=false",
    "-Dio.netty.tryReflectionSetAccessible=true",
    "--enable-native-access=ALL-UNNAMED",
)
SETTINGS = {
    "spark.master": "local[*]",
    "spark.ui.enabled": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.sql.catalogImplementation": "in-memory",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    # Days before 1582 are what the file says, not what another calendar calls them.
    "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
    "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
    "spark.sql.shuffle.partitions": "4",
}
LOGGING = """
rootLogger.level = error
rootLogger.appenderRef.console.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d %p %c{1}: %m%n%ex
"""


class Spark(Closing):
    """One process of Spark, whose files are in *folder*. Raises `SettingsError` without pyspark."""

    def __init__(self, folder: Path) -> None:
        self._log, self._told = folder / "spark.log", folder / "spark.port"
        (folder / "tmp").mkdir(parents=True, exist_ok=True)
        (folder / "log4j2.properties").write_text(LOGGING, "utf-8")
        self._process = start(folder, self._told, self._log)
        self._gateway: Any = None
        try:
            self._gateway = self._connect()
            self._session = (
                self._gateway.jvm.org.apache.spark.sql.SparkSession.builder().getOrCreate()
            )
        except BaseException:
            self.close()
            raise

    def view(self, name: str, path: Path) -> None:
        """Give the rows of a Parquet file a name."""
        self._run(lambda: self._session.read().parquet(str(path)).createOrReplaceTempView(name))

    def write(self, sql: str, path: Path) -> None:
        """Write the rows of a query into a folder of Parquet files."""
        self._run(lambda: self._session.sql(sql).write().parquet(str(path)))

    def close(self) -> None:
        """End the process."""
        if self._gateway is not None:
            self._gateway.close()
        stop(self._process, timeout_s=10)

    def _run(self, action: Any) -> None:
        """Do *action*; an error of Java becomes one of our tree."""
        from py4j.protocol import Py4JError, Py4JJavaError

        try:
            action()
        except Py4JJavaError as error:
            text = " ".join(str(error.java_exception.getMessage()).split())
            raise MeshError(f"Spark refuses: {text[:600]}") from error
        except (Py4JError, OSError) as error:
            raise MeshError(f"Spark has ended: {self._last_words()}") from error

    def _connect(self) -> Any:
        """The way into the process, once it has said its port and the secret for it."""
        from py4j.java_gateway import GatewayParameters, JavaGateway

        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._told.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise Unreachable(f"Spark did not start: {self._last_words()}")
            time.sleep(0.05)
        told = self._told.read_bytes()
        port, size = struct.unpack(">ii", told[:8])
        secret = told[8 : 8 + size].decode()
        # Java's few objects go with the process: to free each by itself takes a callback, which
        # Python calls in the middle of whatever it does.
        return JavaGateway(
            gateway_parameters=GatewayParameters(
                port=port, auth_token=secret, enable_memory_management=False
            )
        )

    def _last_words(self) -> str:
        return " ".join(last_lines(self._log, 3)) or "it said nothing"


def start(folder: Path, told: Path, log: Path) -> subprocess.Popen[bytes]:
    """Start Spark, which says in *told* where it listens."""
    command = java_command(program(folder, told), folder, log, ())
    with log.open("ab") as output:
        # Spark ends with its standard input, whose other end is ours alone. Of a session of its
        # own, so that Ctrl-C reaches only us.
        return subprocess.Popen(
            command.argv,
            env=command.env,
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def program(folder: Path, told: Path) -> Program:
    """Spark, as pyspark's own launcher would start it. Raises `SettingsError` where it is not."""
    found = find_spec("pyspark")
    if found is None or found.origin is None or find_spec("py4j") is None:
        raise SettingsError("Spark is not installed: `pip install 'reference-data-mesh[spark]'`")
    home = Path(found.origin).parent
    settings = {
        **SETTINGS,
        "spark.local.dir": str(folder / "tmp"),
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
    }
    conf = [part for each in settings.items() for part in ("--conf", "=".join(each))]
    return Program(
        name="spark",
        heap_mb=HEAP_MB,
        class_path=(folder, home / "jars" / "*"),
        main="org.apache.spark.deploy.SparkSubmit",
        flags=FLAGS,
        arguments=(*conf, "pyspark-shell"),
        env={
            "HOME": str(folder),
            "SPARK_HOME": str(home),
            "SPARK_CONF_DIR": str(folder),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "PYSPARK_PIN_THREAD": "false",
            "_PYSPARK_DRIVER_CONN_INFO_PATH": str(told),
        },
    )
