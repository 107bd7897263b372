"""The parts of a model, apart from its networks and objectives."""
