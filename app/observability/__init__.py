"""What is seen from outside: the log, and the figures for Prometheus."""
