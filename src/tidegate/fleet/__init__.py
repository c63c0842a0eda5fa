"""What the hosts have, and what they are open to.

A host's packages come in one of several forms (`report`, `dpkg_status`, `cyclonedx`, `osquery`) and are one value
(`inventory`). `knowledge` is what the feeds said of its release at a moment, `supply` what can be had; `exposure` holds
these against each other. All of it is pure.
"""
