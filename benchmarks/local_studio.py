"""A Label Studio of its own for a measurement: started in a temporary folder, stopped at the end."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from annotations.studio.server import LocalStudio, RunningStudio


def studio_environment() -> Path:
    """Return the environment in which Label Studio is installed."""
    return Path(os.environ.get("TALKINGPOINTS_STUDIO_ENV", ".venv-studio")).absolute()


@contextmanager
def temporary_studio() -> Iterator[tuple[RunningStudio, Path]]:
    """Yield a running Label Studio and the folder it may be used with."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        studio = LocalStudio(home / "studio", studio_environment())
        try:
            yield studio.up(), home
        finally:
            studio.down()
