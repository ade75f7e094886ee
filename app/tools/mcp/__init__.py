"""MCP servers (Model Context Protocol): what mcp.json says, each server kept alive, and its tools."""
