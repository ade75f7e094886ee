"""/v1/messages: Anthropic's protocol, for Claude Code and Anthropic's packages, over any model."""
