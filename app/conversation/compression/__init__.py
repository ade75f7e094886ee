"""Compression of long conversations: notes in place of old messages, for the model alone.

Layout sent: `[system][pinned facts][notes of frozen blocks 1..n][last turns verbatim][new message]`.
docs/compression.md tells how and why, with measured figures.
"""
