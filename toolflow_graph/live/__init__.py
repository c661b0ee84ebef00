"""Tools that can be called for real: MCP servers and Python functions."""
