"""The answer cache: a question asked before gets its answer at once, never another question's."""
