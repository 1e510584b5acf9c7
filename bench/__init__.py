"""Three TensorFlow APIs, one network: is the port the same, why does it not train, what does each API cost?"""
