"""A real MCP server, for tests: its one tool draws a number that nobody can guess, and it prints what it was asked and said.

The first line that it prints is its port on 127.0.0.1.
"""

import secrets
import socket

import uvicorn
from mcp.server.mcpserver import MCPServer

server = MCPServer("tickets")


@server.tool()
def draw(row: int, seat: int) -> str:
    """Draw the number of a ticket."""
    number = str(10000 + secrets.randbelow(90000))
    print(f"row {row} seat {seat}: {number}", flush=True)
    return number


listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
uvicorn.Server(uvicorn.Config(server.streamable_http_app(stateless_http=True), log_level="warning")).run(sockets=[listener])
