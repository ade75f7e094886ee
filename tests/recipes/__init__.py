"""What CONTRIBUTING.md tells to do, done: test_recipes.py looks whether it is enough."""
