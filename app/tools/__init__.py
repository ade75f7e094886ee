"""The tools that a model may be given: ours, and those of MCP servers."""
