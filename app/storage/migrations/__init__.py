"""The database's shape, step by step; `apply.upgrade` brings any older database up to date."""

import logging

# It tells of every plugin and step; `apply` logs what came of it.
logging.getLogger("alembic").setLevel(logging.WARNING)
