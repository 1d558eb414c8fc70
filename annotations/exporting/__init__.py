"""Annotated posts for others: sources of entries, gold, pseudonyms, and a writer for each format."""
