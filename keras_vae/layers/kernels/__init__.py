"""Keras' own layers, faster in bfloat16 on a CPU."""
