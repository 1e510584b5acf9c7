"""A model of the time that workers spend on exchanging gradients: what larger clusters may reach.

Synchronous training adds the exchange of all gradients to the step of one worker. In a ring
all-reduce, each of N workers sends 2 (N - 1) messages of 1/N of the gradients (Patarasu and Yuan
2009, Bandwidth optimal all-reduce algorithms for clusters of workstations, J. Parallel Distrib.
Comput. 69:117). A parameter server sends the variables to every worker and receives the gradients
of all workers over its own link (Li et al. 2014, Scaling Distributed Machine Learning with the
Parameter Server, OSDI).
"""

from __future__ import annotations

from dataclasses import dataclass

BYTES = 4
"""Size of a parameter, which is a float32."""


@dataclass(frozen=True)
class Link:
    """The network between any two machines: `bandwidth` in bytes per second in each direction,
    `latency` in seconds per message."""

    bandwidth: float
    latency: float


TEN_GIGABIT = Link(10e9 / 8, 50e-6)
"""Ethernet of a usual cloud machine."""


def bytes_per_step(parameters: int, workers: int, servers: int) -> int:
    """Returns the bytes that all members together send in a step.

    They go through parameter servers or, where `servers` is 0, around a ring.
    """
    return BYTES * parameters * (2 * workers if servers else 2 * (workers - 1))


def exchange_s(parameters: int, workers: int, servers: int, link: Link) -> float:
    """Returns the seconds that the exchange adds to a step."""
    if servers:
        seconds = bytes_per_step(parameters, workers, servers) / servers / link.bandwidth
        return 2 * link.latency + seconds / 2  # both ways at once
    messages = 2 * (workers - 1)
    return messages * (link.latency + BYTES * parameters / workers / link.bandwidth)


def expected_efficiency(
    step_s: float, parameters: int, workers: int, servers: int, link: Link
) -> float:
    """Returns the throughput of `workers` workers, relative to `workers` times that of one worker.

    `step_s` is the time in seconds of one worker's step without any exchange. With parameter
    servers, a single worker exchanges gradients, too.
    """
    return (step_s + exchange_s(parameters, 1, servers, link)) / (
        step_s + exchange_s(parameters, workers, servers, link)
    )
