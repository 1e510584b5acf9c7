"""The stages of a comparison, in the order in which they are asked."""
