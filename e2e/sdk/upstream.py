"""A second provider for the SDK tests: one that fails in the ways real providers do, and that speaks Anthropic's
messages natively. Standard library only. It listens on a free port and prints it as its first line.

The model says what happens: status-429, slow, reset, error-midstream, late-429 (calls the tool mcp_t_echo with the
user's words, and fails once it has the result), and for /messages any claude-… model.
"""

import json
import socket
import struct
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# status: (type, param, code, message), spelled as OpenAI spells them
ERRORS = {
    400: ("invalid_request_error", "messages", "context_length_exceeded", "This model's maximum context length is 8 tokens."),
    401: ("invalid_request_error", None, "invalid_api_key", "Incorrect API key provided."),
    403: ("invalid_request_error", None, "unsupported_country_region_territory", "Country not supported."),
    404: ("invalid_request_error", "model", "model_not_found", "The model does not exist."),
    409: ("invalid_request_error", None, "conflict", "Try again."),
    422: ("invalid_request_error", "tools", "unprocessable", "Could not understand that."),
    429: ("requests", None, "rate_limit_exceeded", "Rate limit reached for requests."),
    500: ("server_error", None, None, "The server had an error while processing your request."),
    503: ("server_error", None, "overloaded", "The engine is currently overloaded."),
}
LIMITS = {
    "Retry-After": "7",
    "x-ratelimit-limit-requests": "60",
    "x-ratelimit-remaining-requests": "0",
    "x-ratelimit-reset-requests": "7s",
}


class Upstream(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        data = [{"id": f"status-{s}", "object": "model", "created": 1, "owned_by": "faulty"} for s in ERRORS]
        self.answer(200, {"object": "list", "data": data})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        model = body["model"]
        if self.path == "/anthropic/v1/messages":
            self.messages(body)
        elif self.path == "/anthropic/v1/messages/count_tokens":
            self.answer(200, {"input_tokens": 3})
        elif model.startswith("status-"):
            self.fail(int(model.removeprefix("status-")))
        elif model == "slow":
            time.sleep(2)
            self.fail(500)
        elif model == "reset":
            self.reset()
        elif model.startswith("late-"):
            self.late(body, int(model.removeprefix("late-")))
        elif model == "error-midstream":
            self.error_midstream(model)
        else:
            self.fail(404)

    def fail(self, status):
        kind, param, code, message = ERRORS[status]
        headers = LIMITS if status == 429 else {}
        self.answer(status, {"error": {"message": message, "type": kind, "param": param, "code": code}}, headers)

    def reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def error_midstream(self, model):
        chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": model,
                 "choices": [{"index": 0, "delta": {"role": "assistant", "content": "so far"}, "finish_reason": None}]}
        error = {"error": {"message": "The engine fell over.", "type": "server_error", "param": None, "code": "engine"}}
        self.events([f"data: {json.dumps(chunk)}\n\n", f"data: {json.dumps(error)}\n\n"])

    def late(self, body, status):
        last = body["messages"][-1]
        if last["role"] == "tool":
            self.fail(status)
            return
        call = {"index": 0, "id": "call_1", "type": "function",
                "function": {"name": "mcp_t_echo", "arguments": json.dumps({"text": last["content"]})}}
        message = {"role": "assistant", "content": "so far", "tool_calls": [call]}
        answer = {"id": "c", "object": "chat.completion", "created": 1, "model": body["model"]}
        if not body.get("stream"):
            self.answer(200, {**answer, "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]})
            return
        answer["object"] = "chat.completion.chunk"
        chunks = [{**answer, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
                  for delta, finish in ((message, None), ({}, "tool_calls"))]
        self.events([*(f"data: {json.dumps(c)}\n\n" for c in chunks), "data: [DONE]\n\n"])

    def messages(self, body):
        if self.headers.get("x-api-key") != "sk-stub" or self.headers.get("anthropic-version") is None:
            self.answer(401, {"type": "error", "error": {"type": "authentication_error", "message": "invalid x-api-key"}})
            return
        text = body["messages"][-1]["content"]
        message = {"id": "msg_1", "type": "message", "role": "assistant", "model": body["model"], "stop_sequence": None,
                   "stop_reason": "end_turn", "usage": {"input_tokens": 3, "output_tokens": 2},
                   "content": [{"type": "text", "text": text}]}
        if not body.get("stream"):
            self.answer(200, message)
            return
        events = [
            {"type": "message_start", "message": {**message, "content": [], "stop_reason": None}},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            *({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": c}} for c in text),
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": {"output_tokens": 2}},
            {"type": "message_stop"},
        ]
        self.events([f"event: {e['type']}\ndata: {json.dumps(e)}\n\n" for e in events])

    def events(self, events):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for event in [*events, ""]:  # the empty chunk ends the body
            raw = event.encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(raw), raw))
            self.wfile.flush()

    def answer(self, status, body, headers=()):
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *args):  # the tests say what went wrong
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
print(server.server_port, flush=True)
server.serve_forever()
