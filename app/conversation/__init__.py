"""One turn: a question, and all that answers it."""
