"""Adapters: every kind of port, shown as a `bench.parity.port.Port`."""
