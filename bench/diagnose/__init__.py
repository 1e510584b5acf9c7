"""Why does it not train? The gallery of porting traps, and causes by name."""
