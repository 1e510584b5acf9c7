"""The gallery of porting traps: faults that people really make, inserted into our own ports."""
