"""What `make bench` runs: every module here with a `run(report)`; one table and one JSON file."""
