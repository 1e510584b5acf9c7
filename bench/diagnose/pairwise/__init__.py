"""What explains a difference of two ports: hypotheses for each stage, tried on their numbers."""
