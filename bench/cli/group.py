"""`python -m bench` itself: the group that its verbs join."""

from __future__ import annotations

import click


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def main() -> None:
    """One network in three TensorFlow APIs: is the port the same, why does it not train, what does each API cost?

    Start with 'python -m bench all', or 'python -m bench all --quick' to see in a minute or two that everything works.
    """
