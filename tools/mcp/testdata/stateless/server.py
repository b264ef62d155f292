"""A real MCP server, for tests: stateless at /mcp or, when told "sse", legacy at /sse. Prints its port on 127.0.0.1."""

import asyncio
import socket
import sys

import uvicorn
from mcp.server.mcpserver import Context, MCPServer

legacy = "sse" in sys.argv
server = MCPServer("legacy" if legacy else "stateless")


@server.tool()
def add(a: int, b: int = 2) -> int:
    """Add two numbers."""
    return a + b


@server.tool()
def fail() -> str:
    """Fail."""
    raise ValueError("this always fails")


@server.tool()
async def hang() -> str:
    """Hang, and say on stdout when cancelled."""
    print("hanging", flush=True)
    try:
        await asyncio.sleep(600)
    except asyncio.CancelledError:
        print("cancelled", flush=True)
        raise
    return "woke up"


@server.tool()
async def grow(ctx: Context) -> str:
    """Add a tool to the server."""

    def grown() -> str:
        """A tool that was not there before."""
        return "grown"

    server.add_tool(grown)
    await (ctx.session.send_tool_list_changed() if legacy else ctx.notify_tools_changed())
    return "done"


listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
app = server.sse_app() if legacy else server.streamable_http_app(stateless_http=True)
uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])
