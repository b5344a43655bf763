"""A web server of one page, whose script posts back what it saw; for tests in real browsers."""

import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reports = queue.Queue[Any]
"""The JSON that the page has posted, decoded, in the order of arrival."""


@contextmanager
def serving(html: bytes) -> Iterator[tuple[str, Reports]]:
    """Serve a page on 127.0.0.1 as long as the block runs; its URL, which may be given a query, and its reports."""
    reports: Reports = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(html if self.path.partition("?")[0] == "/" else b"")  # a browser asks for /favicon.ico too

        def do_POST(self) -> None:
            reports.put(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self._answer(b"")

        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Write no line for each request to standard error."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", reports
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
