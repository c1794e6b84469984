"""A server that answers a question for the version as the head of a cluster does, over a real connection."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextmanager
def head(
    secret: str | None = None, *, redirect: str | None = None, ray: bool = True
) -> Iterator[tuple[str, list[str]]]:
    """Answer until the end of the context; yield the address and the Authorization header of every request."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            given = self.headers.get("Authorization", "")
            asked.append(given)
            if redirect:
                self.send_response(302)
                self.send_header("Location", redirect + self.path)
                self.end_headers()
                return
            if secret is None or given == f"Bearer {secret}":
                body = json.dumps({"version": "4", "ray_version": "2.60.0"} if ray else {"name": "another"}).encode()
                self.send_response(200)
            else:
                body = b"Unauthorized" if not given else b"Forbidden"
                self.send_response(401 if not given else 403)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
