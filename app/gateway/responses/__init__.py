"""/v1/responses: OpenAI's newer protocol, for Codex, the Agents SDK and the AI SDK, over any model."""
