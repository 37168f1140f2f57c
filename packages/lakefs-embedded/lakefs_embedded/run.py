"""Starting the server: inside a process that needs it, or standing alone."""

from __future__ import annotations

import asyncio
import atexit
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

import uvicorn

from lakefs_embedded import auth
from lakefs_embedded.app import build_app
from lakefs_embedded.store import Store

WORKERS = 8
START_SECONDS = 30.0
STOP_SECONDS = 10
KEEP_ALIVE_SECONDS = 3600
"""Clients pool connections and do not repeat a POST that meets a connection the server just closed: keep it.
"""


class EmbeddedLakeFS:
    """A server over the store at a root folder, answering on a thread of this process until closed."""

    def __init__(self, *, server: _Server, listener: socket.socket, store: Store, executor: ThreadPoolExecutor) -> None:
        self._server = server
        self._store = store
        self._executor = executor
        self._thread = threading.Thread(
            target=server.run, kwargs={"sockets": [listener]}, name="embedded-lakefs", daemon=True
        )
        host, port = listener.getsockname()[:2]
        self.endpoint = f"http://{host}:{port}"
        self.access_key_id = store.credentials.access_key_id
        self.secret_access_key = store.credentials.secret_access_key

    @classmethod
    def start(cls, root: Path, *, host: str = "127.0.0.1", port: int = 0) -> EmbeddedLakeFS:
        """Returns when the server answers. Port 0 takes any free one; many servers may share a root."""
        listener = _listen(host, port)
        store, executor = Store(root), ThreadPoolExecutor(WORKERS, thread_name_prefix="embedded-lakefs")
        running = cls(server=_server(store, executor), listener=listener, store=store, executor=executor)
        running._thread.start()
        if not running._server.answering.wait(START_SECONDS):
            raise RuntimeError(f"The embedded lakeFS server did not start within {START_SECONDS:.0f} seconds.")
        atexit.register(running._close_at_exit)
        return running

    def close(self) -> None:
        """Finishes the requests under way and lets go of the store. Closing twice does nothing more."""
        atexit.unregister(self._close_at_exit)
        self._server.end()
        self._thread.join(STOP_SECONDS + 1)
        self._executor.shutdown()
        self._store.close()

    def _close_at_exit(self) -> None:
        """Nobody waits for answers, but no thread may still run while the interpreter takes itself down."""
        self._server.force_exit = True
        self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def run_standalone(root: Path, *, host: str, port: int) -> None:
    """Serves until SIGTERM or SIGINT, then finishes what is under way and returns."""
    listener = _listen(host, port)
    store = Store(root)
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="embedded-lakefs") as executor:
        server = _server(store, executor)
        bound_host, bound_port = listener.getsockname()[:2]
        with server.capture_signals():  # from the first word on, a signal ends it cleanly
            _say(f"Embedded lakeFS at http://{bound_host}:{bound_port}, data in {store.root}")
            _say(f"Access key: {store.root / auth.FILE_NAME}")
            server.run(sockets=[listener])
    store.close()
    _say("Embedded lakeFS stopped.")


class _Server(uvicorn.Server):
    """uvicorn that says when it answers, ends at once, and takes a signal as a request to end."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.answering = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets=sockets)
        self.answering.set()

    async def main_loop(self) -> None:
        seconds = 0
        while not await self.on_tick(10 * seconds):  # it expects ten ticks a second
            seconds += 1
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), timeout=1)

    def end(self) -> None:
        """May be called from any thread, and again."""
        self.should_exit = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._ending.set)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.end()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - what a person started in a terminal answers there


def _server(store: Store, executor: ThreadPoolExecutor) -> _Server:
    return _Server(
        uvicorn.Config(
            build_app(store, executor),
            lifespan="off",
            log_config=None,
            access_log=False,
            ws="none",
            server_header=False,
            timeout_graceful_shutdown=STOP_SECONDS,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
        )
    )


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener
