"""Backups: the whole workspace in one archive, taken while it is in use, and put back in one step."""
