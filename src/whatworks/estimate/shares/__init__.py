"""Effects by share of the market treated: what methods on displacement read, give, and what is left in net.

`responses` is the one shape they give. `saturations` reads a drawn design, `cell_regressions` and
`cell_responses` fit it, `participation` and `taking_part` its take-up, `joint_tests` what holds of all
shares; `scored_markets` and `overlapping` read designs whose shares nobody drew. `net` reads responses
(`at_shares`, `net_rows`), `market_totals` the totals of territories.
"""
