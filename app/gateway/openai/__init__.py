"""The OpenAI-compatible gateway: what any client of OpenAI's API can be pointed at."""
