"""Keras' own layers, faster on a CPU."""
