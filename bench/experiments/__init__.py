"""One module per claim: each says what it measures, how, and which bound it is held to."""
