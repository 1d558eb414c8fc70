"""The command ``talkingpoints``: its groups, and what becomes of an error.

Exit codes: 0 done, 1 failed (a message says what, where and the way out), 2 wrong usage, 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import os
import sys

import click

from annotations.errors import TalkingPointsError
from service.cli import data, learning, operation, studio
from service.errors import SettingsError


class _Commands(click.Group):
    """Commands in the order of the work, as `talkingpoints --help` lists them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(self.commands)


@click.group(
    cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.version_option(package_name="talking-points")
def talkingpoints() -> None:
    """Tag claims and rhetoric in posts: import, annotate in Label Studio, train, evaluate, tag, serve."""


for command in (*data.COMMANDS, *studio.COMMANDS, *learning.COMMANDS, *operation.COMMANDS):
    talkingpoints.add_command(command)


def main() -> None:
    """Run the command line and end the process with the exit code of what happened."""
    try:
        talkingpoints(prog_name="talkingpoints", standalone_mode=False)
    except click.exceptions.Abort:
        _fail("Stopped.", 130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except SettingsError as error:
        _fail(f"Error: {error}", 2)
    except TalkingPointsError as error:
        _fail(f"Error: {error}", 1)
    except KeyboardInterrupt:
        _fail("Stopped.", 130)
    except BrokenPipeError:
        # The reader of our output went away (`talkingpoints posts | head`): nothing to tell it, nothing failed.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message: str, code: int) -> None:
    click.echo(message, err=True)
    sys.exit(code)
