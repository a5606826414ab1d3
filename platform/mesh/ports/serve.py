"""Serves an HTTP application on loopback beside the work of a process, in a thread."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from mesh.backbone.process import free_port
from mesh.errors import BackboneError
from mesh.home import Home
from mesh.settings import Settings

__all__ = ["Server", "bind", "serving"]

START_TIMEOUT_S = 15.0
BACKLOG = 128
# Whoever looks for a free port at the same moment may take the one that we found.
ANY_PORT_TRIES = 5


class Server:
    """One HTTP server. It tells the rest of the mesh its address in `run/NAME.json`."""

    def __init__(self, app: ASGIApp, home: Home, name: str, *, host: str, port: int) -> None:
        self._home, self._name = home, name
        self._socket = bind(host, port, name)
        self.address = "http://{}:{}".format(*self._socket.getsockname()[:2])
        config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True
        )

    def start(self) -> None:
        """Serve, and return once it answers."""
        self._thread.start()
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise BackboneError(f"the HTTP port of {self._name} did not come up")
            time.sleep(0.01)
        self._home.write_run(f"{self._name}.json", {"address": self.address, "pid": os.getpid()})

    def stop(self) -> None:
        """Stop serving."""
        self._server.should_exit = True
        self._thread.join(timeout=2)
        self._socket.close()
        (self._home.run / f"{self._name}.json").unlink(missing_ok=True)


@contextmanager
def serving(app: ASGIApp, settings: Settings, home: Home, name: str) -> Iterator[str]:
    """Serve *app* where the settings say, for the time of a block; its address."""
    server = Server(app, home, name, host=settings.http_host, port=settings.http_port)
    server.start()
    try:
        yield server.address
    finally:
        server.stop()


def bind(host: str, port: int, name: str) -> socket.socket:
    """Take the port now, so that a port in use is an error here and not in a log.

    Listening at once keeps it: until then, another process that is as lenient about ports in
    use as we are may bind it too. Port 0 is any free one outside the kernel's own range.
    """
    for _ in range(ANY_PORT_TRIES):
        # Named, the protocol lets asyncio switch Nagle's algorithm off: unnamed, an answer on a
        # connection that is kept waits 40 ms for the client's delayed acknowledgement.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port or free_port()))
            listener.listen(BACKLOG)
        except OSError as error:
            listener.close()
            reason = error.strerror or str(error)
            if port:
                break
        else:
            return listener
    raise BackboneError(
        f"{name} cannot listen on {host}:{port} ({reason}): set MESH_HTTP_PORT to a free port, "
        "or leave it out, and MESH_HTTP_HOST to an address of this machine"
    )
