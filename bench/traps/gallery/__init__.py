"""The porting traps, one per file; `bench.traps.trap.gallery` finds them."""
