"""The result of diagnosing one training."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from bench.diagnose.outputs import FinalState
from bench.diagnose.training_record import Snapshot
from bench.parity.result import Explanation, finite


@dataclass(frozen=True)
class Diagnosis:
    """The result of diagnosing one training.

    Attributes:
        port: name of the port.
        state: `trained`, `not trained` or `diverged`.
        explanations: causes of what is wrong, the likeliest first; empty if no rule found any.
        notes: what the training reached, in sentences.
        snapshots: snapshots of the network during the training.
        losses: losses of its steps.
        final_state: how the training ended, if it reported evaluations.
        seconds: duration of the diagnosis.
        slowed: share of its time that the training took longer because it was watched.
    """

    port: str
    state: str
    explanations: list[Explanation]
    notes: list[str]
    snapshots: list[Snapshot]
    losses: list[float]
    final_state: FinalState | None = None
    seconds: float = 0.0
    slowed: float = 0.0

    def to_json(self) -> str:
        """Returns one JSON object, without the outputs; NaN and infinite numbers are null."""
        snapshots = [
            {
                "step": snapshot.step,
                "gradient_norm": snapshot.gradient_norm,
                "gradient_norms": snapshot.gradient_norms,
                "weight_norms": snapshot.weight_norms,
                "dead": snapshot.dead,
                "saturated": snapshot.saturated,
            }
            for snapshot in self.snapshots
        ]
        return json.dumps(
            finite(
                {
                    "port": self.port,
                    "state": self.state,
                    "facts": self.notes,
                    "explanations": [asdict(found) for found in self.explanations],
                    "looks": snapshots,
                    "losses": self.losses,
                    "seconds": self.seconds,
                    "slowed": self.slowed,
                }
            ),
            indent=1,
        )
