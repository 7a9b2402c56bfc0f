"""Migrations of the store's tables, run by Alembic; see ``stream.storage.upgrading``."""
