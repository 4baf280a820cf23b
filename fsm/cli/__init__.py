"""The command `wfp-udp`: the edge of the package, where files, the terminal and exit statuses live.

Each command sits in a module of its own, loaded when it is used, so that `--help` loads neither networkx
nor graphviz.
"""

from __future__ import annotations

import errno
import importlib
import io
import os
import sys

import click

from fsm.errors import FsmError

COMMANDS = {
    "explain": ("fsm.cli.explain", "Explain the events of a recorded log."),
    "check": ("fsm.cli.check", "Check a recorded callout trace against the model."),
    "flow": ("fsm.cli.flow", "Run a documented flow, with or without a block."),
    "step": ("fsm.cli.step", "Step through an endpoint or a session."),
    "run": ("fsm.cli.run", "Run any sequence of stimuli on an endpoint."),
    "scenario": ("fsm.cli.scenario", "Run scenario files: what happens in model time, and what is expected."),
    "plan": ("fsm.cli.plan", "Plan the fewest scenarios that exercise everything."),
    "diagram": ("fsm.cli.diagram", "Draw the packet path, an endpoint, a session, a dispute or a flow."),
    "atlas": ("fsm.cli.atlas", "Draw everything into a folder, with an index."),
    "rules": ("fsm.cli.rules", "Print the rules with citations and basis."),
    "sources": ("fsm.cli.sources", "Print where the sources disagree, and what each setting takes."),
    "claim": ("fsm.cli.claim", "Decide a claim: reached, never, in this order, as a pattern says."),
    "session": ("fsm.cli.session", "Compose endpoints on two hosts, and search what they can reach."),
    "policy": ("fsm.cli.policy", "Say what is in a set of WFP filters."),
    "whatif": ("fsm.cli.whatif", "What a policy would do to a datagram, and why."),
    "search": ("fsm.cli.search", "Which datagrams have an outcome, as ranges."),
    "compare": ("fsm.cli.compare", "What differs between two policies, and that nothing else does."),
    "lint": ("fsm.cli.lint", "Find what is wrong or in vain in a policy."),
    "advise": ("fsm.cli.advise", "At which layer to register for what a callout wants."),
    "layers": ("fsm.cli.layers", "Look up filtering layers by any of their names."),
}


class LazyGroup(click.Group):
    """A group that imports a command's module only when that command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(COMMANDS[cmd_name][0]).command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands from the table above, without loading any of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from fsm.errors import UnknownName

            raise UnknownName.of("wfp-udp", "command", args[0], COMMANDS, "See wfp-udp --help.")
        return super().resolve_command(ctx, args)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="wfp-udp-fsm", prog_name="wfp-udp")
def cli() -> None:
    """What happens to a UDP datagram inside the Windows Filtering Platform.

    Draw it, run it, and explain what a real log recorded. Nothing here needs Windows.
    """


def main() -> None:
    """Run the command line; one line and exit status 2 for a mistake in what was given."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A cp1252 pipe must not turn a character of a log into a traceback.
            stream.reconfigure(errors="backslashreplace")
    # A stream that was closed before we came (`<&-`, `>&-`, no console) is an empty one.
    sys.stdin = sys.stdin or open(os.devnull)  # noqa: SIM115
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115
    stdout = sys.stdout
    try:
        try:
            status = cli(prog_name="wfp-udp", standalone_mode=False)
        finally:
            if sys.stdout is not None:  # closed from the start (>&-)
                sys.stdout.flush()
        sys.exit(status or 0)
    except SystemExit as stop:
        # Where the reader of the pipe has gone (`| head`) click puts in another stdout and ends with 1, which is for
        # claims that fail.
        sys.exit(stop.code if sys.stdout is stdout else 0)
    except FsmError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_status)
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "wfp-udp"
        click.echo(f"error: {command}: {' '.join(error.format_message().split())} See {command} --help.", err=True)
        sys.exit(2)
    except click.ClickException as error:
        click.echo(f"error: wfp-udp: {error.format_message()}", err=True)
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped", err=True)
        sys.exit(130)
    except BrokenPipeError:
        # The reader of the pipe has gone (`| head`): stop quietly, and keep the interpreter from saying so again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        # A full disk behind the standard output; an error that names a file is one of a command, and a bug.
        if error.filename is not None or error.errno not in (errno.ENOSPC, errno.EFBIG, errno.EIO):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        click.echo(f"error: standard output: cannot be written: {error.strerror}", err=True)
        sys.exit(2)
