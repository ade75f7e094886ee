"""The frontier to Chainlit: the only package that imports it. docs/chainlit.md says why each part is here."""
