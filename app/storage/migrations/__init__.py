"""The database's shape, step by step; `apply.upgrade` brings any older database up to date."""

import logging

logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells of every plugin; we log the result
