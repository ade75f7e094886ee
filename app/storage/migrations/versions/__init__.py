"""One module a revision; ids like `0001_initial`."""
