"""Pages that the operator depends on: asked from here, and their last good copy kept for when they are gone."""
