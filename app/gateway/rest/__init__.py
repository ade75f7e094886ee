"""The REST API under /api: the threads of the sidebar, chats, models, keys."""
