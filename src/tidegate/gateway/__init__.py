"""The data plane: a request becomes an answer."""
