"""A model inside the app: llama.cpp's server in a process of its own."""
