"""What a difference between two ports comes from, stage by stage: hypotheses, each tried on the ports' own numbers."""
