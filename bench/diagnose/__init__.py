"""Why does it not train? Causes by name, with a reference (`explain`) and without (`diagnose`); and a gallery of porting traps."""
