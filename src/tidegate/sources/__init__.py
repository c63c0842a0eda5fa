"""Places to get an archive's bytes from, and how to fetch from them."""
