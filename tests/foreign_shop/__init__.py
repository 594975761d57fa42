"""A shop of strangers: their MCP server, and what Missions are told of it, in YAML and Markdown alone."""
