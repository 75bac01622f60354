"""How much data, at what cost: advice, budgets, tokens, and what a shorter prompt saves."""
