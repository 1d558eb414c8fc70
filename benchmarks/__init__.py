"""The measured claims of the README and the docs, each printed by a command: ``python -m benchmarks.NAME``."""
