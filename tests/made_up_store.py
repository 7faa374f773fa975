"""An S3 server on this machine behind a proxy that counts requests and can fail.

moto keeps the objects in memory. The proxy stands for the network and for a store under load.
"""

import contextlib
import http.client
import logging
import os
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

from moto.server import ThreadedMotoServer

from idhray import uris

Fault = Literal["", "absent", "busy", "broken", "forbidden"]
ANSWERS = {
    "busy": (503, b"<Error><Code>SlowDown</Code><Message>Please reduce</Message></Error>"),
    "broken": (500, b""),
    "forbidden": (403, b"<Error><Code>AccessDenied</Code><Message>No</Message></Error>"),
}
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


class MadeUpStore:
    """Address, faults and counts of a store."""

    def __init__(self, upstream: tuple[str, int]) -> None:
        self.upstream = upstream
        self.fault: Fault = ""
        self.share = 1.0
        """Share of the requests that meet the fault."""
        self.delay_s = 0.0
        self.requests: Counter[str] = Counter()
        self.address = ""
        self._lock = threading.Lock()
        self._total = 0

    def counted(self, method: str) -> Fault:
        """Count a request; the fault that it meets."""
        with self._lock:
            self.requests[method] += 1
            self._total += 1
            meets = int(self._total * self.share) > int((self._total - 1) * self.share)
            return self.fault if meets else ""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def _forward(self) -> None:
        store = self.server.store
        body = self._body()
        fault = store.counted(self.command)
        time.sleep(store.delay_s)
        if fault == "absent":
            self.close_connection = True
            return
        if fault:
            self._answer(*ANSWERS[fault], {})
            return
        upstream = http.client.HTTPConnection(*store.upstream)
        with contextlib.closing(upstream):
            upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                upstream.putheader(name, value)
            upstream.endheaders(body)
            reply = upstream.getresponse()
            self._answer(reply.status, reply.read(), dict(reply.getheaders()))

    def _body(self) -> bytes:
        """Body of the request, in the chunks in which it came."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        lines = b""
        while True:
            size = self.rfile.readline()
            length = int(size.split(b";")[0], 16)
            lines += size + self.rfile.read(length + 2)
            if not length:
                return lines

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response_only(status)
        left_out = {"connection", "transfer-encoding"}
        if self.command != "HEAD":
            left_out.add("content-length")
            self.send_header("Content-Length", str(len(body)))
        elif not headers:
            self.send_header("Content-Length", "0")
        for name, value in headers.items():
            if name.lower() not in left_out:
                self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _forward  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    store: MadeUpStore

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that left is no error here."""


@contextlib.contextmanager
def made_up_store(bucket: str = "bucket") -> Iterator[MadeUpStore]:
    """A store with one bucket; the environment of this process points to it."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # it logs each request
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    store = MadeUpStore(moto.get_host_and_port())
    server = _Server(("127.0.0.1", 0), _Handler)
    server.store = store
    threading.Thread(target=server.serve_forever, daemon=True).start()
    store.address = f"http://127.0.0.1:{server.server_address[1]}"
    before = dict(os.environ)
    os.environ.update(CREDENTIALS, AWS_ENDPOINT_URL=store.address)
    uris._file_system_of_bucket.cache_clear()
    create = urllib.request.Request(f"{store.address}/{bucket}", method="PUT")
    urllib.request.urlopen(create).close()
    store.requests.clear()
    try:
        yield store
    finally:
        os.environ.clear()
        os.environ.update(before)
        uris._file_system_of_bucket.cache_clear()
        server.shutdown()
        server.server_close()
        moto.stop()
