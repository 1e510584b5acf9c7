"""What watching one training found."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from bench.diagnose.outputs import FinalState
from bench.diagnose.training_record import Look
from bench.parity.result import Explanation, finite


@dataclass(frozen=True)
class Diagnosis:
    """What was found: `state` is `trained`, `not trained` or `diverged`; `explanations` the likeliest first, none if nothing was
    found wrong, or nothing that is known; `facts` in words; `looks` for a picture. `ended` is how its evaluations ended,
    if it reported any; `slowed` is the share of its time that the
    training took longer for being watched, once it ran."""

    port: str
    state: str
    explanations: list[Explanation]
    facts: list[str]
    looks: list[Look]
    losses: list[float]
    ended: FinalState | None = None
    seconds: float = 0.0
    slowed: float = 0.0

    def to_json(self) -> str:
        """One object, without the outputs; numbers that JSON does not know are null."""
        looks = [
            {
                "step": look.step,
                "gradient_norm": look.gradient_norm,
                "gradient_norms": look.gradient_norms,
                "weight_norms": look.weight_norms,
                "dead": look.dead,
                "saturated": look.saturated,
            }
            for look in self.looks
        ]
        return json.dumps(
            finite(
                {
                    "port": self.port,
                    "state": self.state,
                    "facts": self.facts,
                    "explanations": [asdict(found) for found in self.explanations],
                    "looks": looks,
                    "losses": self.losses,
                    "seconds": self.seconds,
                    "slowed": self.slowed,
                }
            ),
            indent=1,
        )
