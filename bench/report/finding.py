"""What a report says in words: the answers to the questions, and the findings."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """A question, its answer in a short sentence, and the numbers behind the answer.

    With the names of our implementations, `headline` has 75 characters at most: it is one line on
    the terminal, and two lines over its picture.
    """

    question: str
    headline: str
    detail: str


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    `matter` is its subject: `problem`, `network`, `training` or `cost`. A problem is something
    that did not run or could not be used. `headline` says in a short sentence what was found, and
    `detail` has the numbers behind it, or is empty.
    """

    matter: str
    headline: str
    detail: str = ""

    @property
    def text(self) -> str:
        """The headline and the detail."""
        return f"{self.headline} {self.detail}".rstrip()
