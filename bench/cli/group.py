"""The command `python -m bench`. It knows the names of all verbs, and imports the code of a verb
when it is used."""

from __future__ import annotations

import importlib

import click

VERBS = {
    "The three questions": {
        "diagnose": ("diagnosing", "Why does it not train?"),
        "parity": ("comparing", "Is CANDIDATE the same network as REFERENCE?"),
        "all": ("measuring", "What does each API cost? Measure it, and write the report."),
    },
    "The benchmark": {
        "run": ("measuring", "Measure part of the table."),
        "report": ("measuring", "Make the report of a result folder again."),
        "compare": ("measuring", "Is the run in folder B slower than the run in folder A?"),
        "sweep": ("measuring", "From which size on does the API stop mattering?"),
        "cluster": ("clustering", "What does each API's own way to a cluster cost?"),
    },
    "Background": {
        "traps": ("diagnosing", "Show what people get wrong when they port a network."),
        "replay": ("diagnosing", "Replay the case that this project began with."),
        "data": ("data", "Make the datasets, list them, and draw samples."),
    },
}
"""Headings of `--help`. Each has its verbs by name, with a module in this package, and the line of
the verb. The module has the command as NAME_command."""


class VerbGroup(click.Group):
    """Imports the module of a verb when the verb is used."""

    def list_commands(self, context: click.Context) -> list[str]:
        return [name for verbs in VERBS.values() for name in verbs]

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        for verbs in VERBS.values():
            if name in verbs:
                module, _ = verbs[name]
                return getattr(
                    importlib.import_module(f".{module}", __package__), f"{name}_command"
                )
        return None

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, self.list_commands(context)))
        for heading, verbs in VERBS.items():
            with formatter.section(heading):
                formatter.write_dl([(f"{name:{width}}", line) for name, (_, line) in verbs.items()])


@click.group(
    cls=VerbGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="tf-port-bench", message="%(package)s %(version)s")
def main() -> None:
    """One network in three TensorFlow APIs: is the port the same, why does it not train, what does
    each API cost?

    Start with 'all', or with 'all --quick' to see in a few minutes that everything works. Every
    verb has its own --help.
    """
