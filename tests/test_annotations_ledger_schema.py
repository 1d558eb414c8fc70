"""The ledger's schema on SQLite and PostgreSQL: made whole, brought up to date, refused where it is newer."""

from __future__ import annotations

import re

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, insert, select, text

from annotations.errors import LedgerError
from annotations.ledger.posts import current_posts
from annotations.ledger.schema import FIRST_VERSION, schema_version
from annotations.ledger.store import open_ledger
from annotations.ledger.tables import SCHEMA_VERSION, ledger_info, metadata


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "annotations.ledger:migrations")
    return config


def _first_release(url: str) -> None:
    """Leave a ledger as release 0.1 wrote it, with one post."""
    engine = create_engine(url)
    config = _config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, FIRST_VERSION)
        connection.execute(text("DROP TABLE alembic_version"))
        connection.execute(insert(ledger_info).values(key="schema_version", value="1"))
        connection.execute(
            text("INSERT INTO imports VALUES (1, 'f', 'dump', '2026-01-01', '2026-01-01', '{}')")
        )
        connection.execute(
            text(
                "INSERT INTO posts (post_id, channel, message_id, revision, hashtags, links, media, reactions,"
                " first_import) VALUES ('C/1', 'C', '1', 'r', '[]', '[]', '[]', '{}', 1)"
            )
        )
        connection.execute(
            text(
                "INSERT INTO revisions (post_id, revision, text, cleaner, import_id, seen_at)"
                " VALUES ('C/1', 'r', 'An old post.', 1, 1, '2026-01-01')"
            )
        )
    engine.dispose()


def test_the_last_step_is_the_version_that_the_code_wants() -> None:
    """A new step and SCHEMA_VERSION go together, and the steps are one line of descent."""
    scripts = ScriptDirectory.from_config(_config())
    assert scripts.get_heads() == [SCHEMA_VERSION]
    versions = [script.revision for script in scripts.walk_revisions()]
    assert versions == sorted(versions, reverse=True)


@pytest.mark.parametrize("start", ["empty", "first release"])
def test_steps_and_tables_agree(ledger_url: str, start: str) -> None:
    """A new ledger and one that took every step have the same tables, columns, keys and indexes."""
    if start == "first release":
        _first_release(ledger_url)
    ledger = open_ledger(ledger_url)
    with ledger.begin() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        assert schema_version(connection) == SCHEMA_VERSION
    ledger.close()


def test_an_old_ledger_keeps_its_posts(ledger_url: str) -> None:
    """Opening a ledger of release 0.1 brings it up to date, once, and loses nothing."""
    _first_release(ledger_url)
    for _ in range(2):
        ledger = open_ledger(ledger_url)
        assert [stored.post.text for stored in current_posts(ledger)] == ["An old post."]
        with ledger.begin() as connection:
            assert list(connection.execute(select(ledger_info))) == []
        ledger.close()


def test_a_step_that_fails_leaves_the_old_ledger(ledger_url: str) -> None:
    """What a step did before it failed is taken back, and the next opening can try again."""
    _first_release(ledger_url)
    engine = create_engine(ledger_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE erasures (post_id TEXT)"))  # in the way of step 0002
    with pytest.raises(LedgerError, match=r"already exists|erasures"):
        open_ledger(ledger_url)
    with engine.begin() as connection:
        assert schema_version(connection) == FIRST_VERSION
        connection.execute(text("DROP TABLE erasures"))
    engine.dispose()
    ledger = open_ledger(ledger_url)
    assert [stored.post.post_id for stored in current_posts(ledger)] == ["C/1"]
    ledger.close()


def test_a_newer_ledger_is_refused_and_left_alone(ledger_url: str) -> None:
    """A ledger of a later release is not touched, and the message says what to do."""
    ledger = open_ledger(ledger_url)
    with ledger.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    ledger.close()
    with pytest.raises(LedgerError, match=re.escape("schema version 9999")) as refused:
        open_ledger(ledger_url)
    assert "release" in refused.value.hint
