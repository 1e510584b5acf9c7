"""One trap a file; `bench.diagnose.trap.gallery` finds them."""
