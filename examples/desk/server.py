"""The MCP server: it starts and stops the application, and each call of a client is a scope."""

from __future__ import annotations

from fastmcp import FastMCP

from examples.desk.app import app
from examples.desk.tools import register_prompts, register_resources, register_tools
from oneiric.integrations.fastmcp import InjectionMiddleware, lifespan

mcp = FastMCP("desk", lifespan=lifespan(app), middleware=[InjectionMiddleware(app)])

register_tools(mcp)
register_resources(mcp)
register_prompts(mcp)
