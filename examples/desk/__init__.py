"""A help desk for agents: an MCP server whose tools open and answer tickets; `python -m examples.desk` serves it."""
