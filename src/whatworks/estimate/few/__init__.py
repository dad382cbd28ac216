"""One effect under every inference that few clusters allow: comparisons, rollouts, shares of markets."""
