"""Who may do what: sign-in, users, API keys, limits, budgets."""
