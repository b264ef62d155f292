#!/usr/bin/env python3
"""Shows a model that uses the tools of a real MCP server and the skills of a real A2A agent, through a gateway.

    demo_tools.py [--install]

Installs both into .cache, pinned, and starts them and bin/inference-gateway with its demo provider on free ports; then
holds a conversation and prints it. It fails when an answer lacks what the tools say. Every process that it starts is ended
by its id. --install only installs. GATEWAY_BIN names another gateway, ENVOY_PATH is handed to it. Standard library only.
"""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache"
MCP_DATA = ROOT / "tools" / "mcp" / "testdata"
A2A_DATA = ROOT / "tools" / "a2a" / "testdata"
EVERYTHING = CACHE / "mcp" / "everything" / "node_modules" / "@modelcontextprotocol" / "server-everything" / "dist" / "index.js"
AGENT_VENV = CACHE / "a2a-venv"
READY = 60  # seconds until everything has to be there
WHOLE = 180  # seconds that all of it may take
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]

HTTP = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # what runs here needs no proxy


class Failure(Exception):
    """Something that the reader of the message can act on."""


class TooLong(Exception):
    """The time for all of it is over; nothing is tried again."""


def say(text=""):
    print(text, flush=True)


def install():
    missing = [name for name in ("node", "npm") if shutil.which(name) is None]
    if missing:
        raise Failure(f"no {' and no '.join(missing)} on PATH: the MCP server needs Node.js 20 or newer, with npm")
    steps = [[str(MCP_DATA / "install.sh"), str(CACHE / "mcp")]]
    wanted, stamp = (A2A_DATA / "requirements.txt").read_bytes(), AGENT_VENV / ".stamp"
    fresh = stamp.is_file() and stamp.read_bytes() == wanted
    python = AGENT_VENV / "bin" / "python"
    if not fresh:
        steps.append([sys.executable, "-m", "venv", str(AGENT_VENV)])
        steps.append([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes",
                      "--requirement", str(A2A_DATA / "requirements.txt")])  # fmt: skip
    for step in steps:
        if subprocess.run(step).returncode != 0:
            raise Failure(f"could not install the servers (the reason is above): {' '.join(step)}")
    if not fresh:
        stamp.write_bytes(wanted)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Processes:
    """What was started. A signal that arrives while one is being started waits until it can be ended too."""

    def __init__(self, scratch):
        self.scratch, self.started = pathlib.Path(scratch), []
        self.starting, self.waiting = False, None
        for number in [*SIGNALS, signal.SIGALRM]:
            signal.signal(number, self.interrupted)

    def interrupted(self, number, _frame=None):
        if self.starting:
            self.waiting = number
        elif number == signal.SIGALRM:
            raise TooLong(f"not done within {WHOLE} s")
        else:
            raise SystemExit(128 + number)

    def start(self, name, command, **environment):
        # A clean environment: the keys of whoever runs this are none of the servers' business, and the MCP server shows
        # its own environment to whoever asks.
        home = self.scratch / name.replace(" ", "-")
        home.mkdir()
        env = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1", **environment}
        env["TMPDIR"] = os.environ.get("TMPDIR", "/tmp")
        self.starting = True
        try:
            with open(home / "log", "wb") as log:
                process = subprocess.Popen(
                    command, cwd=home, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
                )
            self.started.append((name, process, home / "log"))
        finally:
            self.starting = False
        if self.waiting:
            self.interrupted(self.waiting)

    def alive(self):
        for name, process, _ in self.started:
            if process.poll() is not None:
                raise Failure(f"{name} has ended with status {process.returncode}")

    def logs(self):
        for name, _, log in self.started:
            lines = log.read_text(errors="replace").splitlines()[-30:]
            if lines:
                print(f"--- the last lines of {name}", *lines, sep="\n", file=sys.stderr)

    def end(self):
        signal.alarm(0)
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        for _, process, _ in reversed(self.started):
            if process.poll() is None:
                process.terminate()
        deadline = time.monotonic() + 15  # longer than the gateway may drain
        for name, process, _ in reversed(self.started):
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                print(f"{name} had to be killed", file=sys.stderr)
                os.killpg(process.pid, signal.SIGKILL)  # a session of its own, so its children too
                process.wait()


def fetch(url, body=None, **headers):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **headers})
    try:
        return HTTP.open(request, timeout=30)
    except urllib.error.HTTPError as e:
        with e:
            raise Failure(f"{url} answered {e.code}: {e.read(2000).decode(errors='replace')}") from None


def wait_for(processes, what, url, ready):
    deadline, last = time.monotonic() + READY, "nothing"
    while time.monotonic() < deadline:
        processes.alive()
        try:
            with fetch(url) as answer:
                last = answer.read().decode()
            if ready(last):
                return
        except (OSError, Failure, ValueError) as e:
            last = str(e)
        time.sleep(0.2)
    raise Failure(f"{what} within {READY} s: not so; the last answer was {last}")


def state_of(name, state):
    """Reads a page that lists servers or agents."""

    def ready(text):
        page = json.loads(text)
        return any(one.get("id", one.get("name")) == name and one.get("status") == state for one in page["data"])

    return ready


def chat(base, words, stream):
    body = {"model": "demo/assistant", "messages": [{"role": "user", "content": words}], "stream": stream}
    say(f"\nyou    {words}")
    if not stream:
        with fetch(f"{base}/v1/chat/completions", body) as answer:
            text = json.load(answer)["choices"][0]["message"]["content"]
        say(f"model  {text}")
        return text, []
    text, used, event, done = "", [], "", False
    with fetch(f"{base}/v1/chat/completions", body, **{"X-Tool-Events": "true"}) as answer:
        for line in answer:
            field, _, value = line.decode().rstrip("\r\n").partition(": ")
            if field == "event":
                event = value
            elif field == "" and value == "":
                event = ""
            elif field == "data" and value == "[DONE]":
                done = True
            elif field == "data":
                chunk = json.loads(value)
                if event == "tool":
                    tool = chunk["tool"]
                    used.append((tool["name"], tool["status"]))
                    say(f"tool   {tool['name']}: {tool['status']} after {tool['duration_ms']} ms")
                elif "error" in chunk:
                    raise Failure(f"the stream broke off: {value}")
                for choice in chunk.get("choices", []):
                    text += choice["delta"].get("content") or ""
    say(f"model  {text}")
    if not done:
        raise Failure("the stream ended without [DONE]")
    return text, used


def converse(base):
    # What is expected stands in no question, so a model that only repeats what it is told does not pass.
    talk = [
        ('use the tool mcp_every_echo with {"message":"good morning"}', False, ["Echo: good morning"], []),
        ('use the tool a2a_py_echo with {"message":"good evening"}', False, ["echo: good evening"], []),
        (
            'use tools mcp_every_get-sum with {"a":19,"b":23} and a2a_py_report with {"message":"the harbour"}',
            True,
            ["The sum of 19 and 23 is 42", "Report on the harbour: all is well."],
            [("a2a_py_report", "ok"), ("mcp_every_get-sum", "ok")],
        ),
        (
            'use the tool mcp_every_echo with {"message":"one"} then use the tool a2a_py_echo with {"message":"two"}',
            True,
            ["echo: two"],
            [("a2a_py_echo", "ok"), ("mcp_every_echo", "ok")],
        ),
    ]
    for words, stream, expected, tools in talk:
        text, used = chat(base, words, stream)
        for part in expected:
            if part not in text:
                raise Failure(f"the answer lacks what the tool says: {part!r}")
        if sorted(used) != tools:
            raise Failure(f"told of the calls {sorted(used)}, not of {tools}")


def show(processes):
    gateway = pathlib.Path(os.environ.get("GATEWAY_BIN") or ROOT / "bin" / "inference-gateway").absolute()
    if not os.access(gateway, os.X_OK):
        raise Failure(f"no gateway at {gateway}: run make build first, or set GATEWAY_BIN")
    mcp, a2a, port = free_port(), free_port(), free_port()
    base = f"http://127.0.0.1:{port}"
    # The MCP server listens on all interfaces and cannot be told otherwise. It has no secrets here, and it is stopped as
    # soon as the conversation is over.
    processes.start("the MCP server", ["node", str(EVERYTHING), "streamableHttp"], PORT=str(mcp))
    processes.start("the A2A agent", [str(AGENT_VENV / "bin" / "python"), str(A2A_DATA / "agent.py"), "--port", str(a2a)])
    settings = {
        "SERVER_HOST": "127.0.0.1", "SERVER_PORT": str(port), "SERVER_DRAIN_TIMEOUT": "2s", "DEMO_ENABLED": "true",
        "MCP_ENABLED": "true", "MCP_EXPOSE": "true", "MCP_SERVERS": f"every=http://127.0.0.1:{mcp}/mcp",
        "A2A_ENABLED": "true", "A2A_EXPOSE": "true", "A2A_AGENTS": f"py=http://127.0.0.1:{a2a}",
    }  # fmt: skip
    if os.environ.get("ENVOY_PATH"):
        settings["ENVOY_PATH"] = os.environ["ENVOY_PATH"]
    processes.start("the gateway", [str(gateway), "run"], **settings)
    wait_for(processes, "the gateway is ready", f"{base}/ready", lambda _: True)
    wait_for(processes, "the MCP server is connected", f"{base}/v1/mcp/servers", state_of("every", "connected"))
    wait_for(processes, "the A2A agent is available", f"{base}/v1/a2a/agents", state_of("py", "available"))
    say(f"gateway {base}, MCP server every on port {mcp}, A2A agent py on port {a2a}")
    converse(base)


def main():
    if sys.argv[1:] not in ([], ["--install"]):
        print(__doc__, file=sys.stderr)
        return 2
    try:
        install()
        if sys.argv[1:]:
            return 0
        with tempfile.TemporaryDirectory(prefix="demo-tools-") as scratch:
            processes = Processes(scratch)
            signal.alarm(WHOLE)
            try:
                show(processes)
            except Exception:
                processes.logs()
                raise
            finally:
                processes.end()
    except (Failure, TooLong, OSError) as e:
        print(f"demo_tools.py: {e}", file=sys.stderr)
        return 1
    say("\nBoth were used, and every process has ended.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
