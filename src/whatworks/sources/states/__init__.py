"""What a row says of states: codes, doses, places, and when a source stops seeing: one file per thing."""
