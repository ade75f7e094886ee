"""The chat in the browser: the only package that imports chainlit."""
