"""One trap a file; `bench.traps.trap.gallery` finds them."""
