"""A vendor in a box: a real signed archive on disk, and a server that fails in every known way."""
