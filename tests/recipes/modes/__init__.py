"""A folder of modes."""
