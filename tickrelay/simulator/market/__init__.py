"""Where the simulator's quotes come from: a random market, its hours and its history."""
