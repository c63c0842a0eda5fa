"""Events of the journal folded into incidents: rules, timeline, claims, post-mortem, STIX. Nothing is kept here."""
