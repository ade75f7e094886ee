"""The database's shape, step by step; `apply.upgrade` brings any older database up to date."""
