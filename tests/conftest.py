"""Fixtures that any test may use."""

from __future__ import annotations

from pathlib import Path

import pytest

_SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real posts and labels that stands beside a developer's checkout."""
    if not _SHARED.is_dir():
        pytest.skip("needs the data of ../shared/data, which is not part of the project")
    return _SHARED
