"""Values and ports: no I/O, no framework. Everything else imports from here."""
