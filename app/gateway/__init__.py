"""Our HTTP routes: the OpenAI-compatible gateway under /v1 and the REST API under /api."""
