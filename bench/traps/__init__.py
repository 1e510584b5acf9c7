"""The gallery of porting traps: faults that people really make, planted into our own ports."""
