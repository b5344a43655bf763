"""How a setting is declared, and which settings there are."""
