"""What workers tell each other in a step, and what that costs: the model behind what is expected of larger clusters.

Synchronous training adds to the step of one worker the exchange of all gradients. A ring all-reduce takes every worker
2 (N - 1) messages of 1/N of the gradients (Patarasu and Yuan 2009, Bandwidth optimal all-reduce algorithms for clusters of
workstations, J. Parallel Distrib. Comput. 69:117); a parameter server sends every worker the variables and receives the
gradients of all, over its own link (Li et al. 2014, Scaling Distributed Machine Learning with the Parameter Server, OSDI).
"""

from __future__ import annotations

from dataclasses import dataclass

BYTES = 4
"""Of a float32."""


@dataclass(frozen=True)
class Link:
    """Between any two machines: `bandwidth` in bytes/s each way, `latency` in seconds a message."""

    bandwidth: float
    latency: float


TEN_GIGABIT = Link(10e9 / 8, 50e-6)
"""Ethernet as rented machines have it."""


def bytes_per_step(parameters: int, workers: int, servers: int) -> int:
    """Bytes that cross between members in a step, all of them together: by parameter servers, or if there are none by a ring."""
    return BYTES * parameters * (2 * workers if servers else 2 * (workers - 1))


def exchange_s(parameters: int, workers: int, servers: int, link: Link) -> float:
    """Seconds that the exchange adds to a step."""
    if servers:
        return (
            2 * link.latency
            + bytes_per_step(parameters, workers, servers) / servers / link.bandwidth / 2
        )  # both ways at once
    messages = 2 * (workers - 1)
    return messages * (link.latency + BYTES * parameters / workers / link.bandwidth)


def expected_efficiency(
    step_s: float, parameters: int, workers: int, servers: int, link: Link
) -> float:
    """Throughput over so many times that of one worker; `step_s` is one worker's step without the link, and with a parameter
    server one worker, too, has something to exchange."""
    return (step_s + exchange_s(parameters, 1, servers, link)) / (
        step_s + exchange_s(parameters, workers, servers, link)
    )
