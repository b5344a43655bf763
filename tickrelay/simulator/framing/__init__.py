"""The framings that the simulator's port speaks, and the choice between them."""
