"""The web, for models: a search by SearXNG, and pages that are fetched with every guard."""
