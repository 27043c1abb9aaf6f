"""The server on standard input and output, as an MCP client starts it: `python -m examples.desk`."""

from __future__ import annotations

from examples.desk.server import mcp
from oneiric.core.log import configure

configure(level="WARNING")  # clients show the standard error of a server to people
mcp.run(show_banner=False)
