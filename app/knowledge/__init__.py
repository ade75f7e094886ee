"""Knowledge bases: documents read into passages, found again, put into prompts, and cited truly."""
