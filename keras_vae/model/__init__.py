"""What a model is made of, apart from the networks and objectives that it is given."""
