"""An MCP server (streamable HTTP, without sessions) for the SDK tests. Its tools are echo, which repeats a text, count,
which tells how often echo has heard a text, and fail. Standard library only. It listens on a free port and prints it as
its first line. Servers made with the official SDKs are tested in tools/mcp.
"""

import collections
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TEXT = {"type": "object", "properties": {"text": {"type": "string"}}}
TOOLS = [{"name": name, "description": f"Test tool {name}", "inputSchema": TEXT} for name in ("echo", "count", "fail")]
heard, lock = collections.Counter(), threading.Lock()


class Server(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if "id" not in message:  # a notification
            self.answer(202, b"")
            return
        method, params = message["method"], message.get("params", {})
        reply = {"jsonrpc": "2.0", "id": message["id"]}
        if method == "initialize":
            info = {"name": "sdk-tests", "version": "1"}
            reply["result"] = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": info}
        elif method == "tools/list":
            reply["result"] = {"tools": TOOLS}
        elif method == "tools/call":
            reply["result"] = self.call(params["name"], params.get("arguments", {}).get("text", ""))
        else:
            reply["error"] = {"code": -32601, "message": "Method not found"}
        self.answer(200, json.dumps(reply).encode())

    def call(self, name, text):
        with lock:
            if name == "echo":
                heard[text] += 1
            said = {"echo": f"echo of {text}", "count": f"heard {heard[text]} times"}.get(name, "it is broken")
        return {"content": [{"type": "text", "text": said}], "isError": name == "fail"}

    def do_GET(self):
        self.answer(405, b"")

    do_DELETE = do_GET

    def answer(self, status, raw):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *args):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
print(server.server_port, flush=True)
server.serve_forever()
