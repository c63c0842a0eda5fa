"""What is known beforehand of well-known archives, as data with its origin."""
