"""A server on this machine, from which corpora are downloaded in the tests."""

import io
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


class Server(ThreadingHTTPServer):
    """One file; what it says of its version, whether it sends parts, and when it hangs up."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.content, self.etag, self.modified = b"", '"one.1"', None
        self.ranges = self.heeds_if_range = self.tells_length = True
        self.hang_up_after = None
        self.asked = []  # Range and If-Range of each request, and the status

    def pack(self, members):
        """Serve a zip file of these names and contents."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, content in members.items():
                member = zipfile.ZipInfo("x")
                member.filename = name  # as it is, without zipfile's corrections
                archive.writestr(member, content)
        self.content = buffer.getvalue()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server, wanted = self.server, self.headers.get("Range")
        begin = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        same = self.headers.get("If-Range") in (server.etag, server.modified)
        status, body = 200, server.content
        if wanted and server.ranges and (same or not server.heeds_if_range):
            status = 206 if begin < len(server.content) else 416
            body = server.content[begin:]
        server.asked.append((wanted, self.headers.get("If-Range"), status))
        self.send_response(status)
        if status == 206:
            size = len(server.content)
            self.send_header("Content-Range", f"bytes {begin}-{size - 1}/{size}")
        if server.etag:
            self.send_header("ETag", server.etag)
        if server.modified:
            self.send_header("Last-Modified", server.modified)
        if server.tells_length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: server.hang_up_after])

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()
