"""The ledger: what was imported, pushed, pulled and predicted, in SQLite or PostgreSQL through SQLAlchemy Core."""
