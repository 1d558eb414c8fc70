"""The command ``talkingpoints``: its groups, and what becomes of an error.

Exit codes: 0 done, 1 failed (a message says what, where and the way out), 2 wrong usage, 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import importlib
import os
import sys

import click

from annotations.errors import TalkingPointsError
from annotations.files import MEDIUM_ERRORS
from service.errors import SettingsError

_MODULES = {
    "codebook": "codebook_changes",
    "import": "data",
    "posts": "data",
    "studio": "studio",
    "push": "studio",
    "pull": "studio",
    "export": "exporting",
    "agreement": "agreement",
    "anchoring": "anchoring",
    "adjudicate": "adjudicating",
    "suspects": "suspects",
    "sample": "sampling",
    "train": "learning",
    "evaluate": "evaluating",
    "learning-curve": "sampling",
    "retrain": "retraining",
    "models": "versions",
    "activate": "versions",
    "rollback": "versions",
    "card": "models",
    "export-sklearn": "models",
    "tag": "tagging",
    "prevalence": "prevalence",
    "trends": "trends",
    "drift": "drift",
    "diagnose": "diagnose",
    "status": "status",
    "serve": "serving",
    "keys": "keys",
    "audit": "audit",
    "settings": "status",
    "report": "reporting",
    "backup": "keeping",
    "restore": "keeping",
    "erase": "erasing",
    "demo": "demo",
}
"""Which module of this package has a command, in the order of the work."""


class _Commands(click.Group):
    """Commands imported when they are wanted: a command starts without what only others need."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _MODULES:
            return None
        commands: tuple[click.Command, ...] = importlib.import_module(
            f"service.cli.{_MODULES[cmd_name]}"
        ).COMMANDS
        return next(command for command in commands if command.name == cmd_name)


@click.group(
    cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.version_option(package_name="talking-points")
def talkingpoints() -> None:
    """Tag claims and rhetoric in posts: import, annotate in Label Studio, train, evaluate, tag, serve."""


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
        _give_output_up()
    except OSError as error:
        if error.errno not in MEDIUM_ERRORS:
            raise
        _give_output_up()
        what = f"{error.filename or 'standard output'}: cannot be written: {error.strerror}"
        _fail(f"Error: {what}\n  Free some space, or choose another place.", 1)


def _give_output_up() -> None:
    """Send what is still to be written to standard output nowhere: it would only fail once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message: str, code: int) -> None:
    click.echo(message, err=True)
    sys.exit(code)
