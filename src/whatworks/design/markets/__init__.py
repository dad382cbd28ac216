"""Where people compete for jobs: markets, how much of each is treated, and who competes across them."""
