"""What the fleet is to have before it asks, and what becomes of it when nobody can be asked."""
