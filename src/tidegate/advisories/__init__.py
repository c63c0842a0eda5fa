"""What the vendors say about vulnerabilities: their feeds, read record by record, and what they said over time.

A feed is bytes (`containers`, `tar`, `json_members` cut it into records), a record is read by its feed's module
(`ubuntu_osv`, `ubuntu_tracker`, `ubuntu_notices`, `ubuntu_vex`, `debian_tracker`, `debian_osv`, `kev`, `epss`), and
`taking_in` brings what was read into a `history.History`, which answers for any moment; `from_files` does all of it for
a path, and `intake` in a process of its own.

How feeds get here: a `subscription` says who is asked, `keeping` when, a `round` asks source by source (`download`,
`paging`, `from_here`), what it brings takes its place in a `feed_folder`, and `documents` hands it on as it was.
"""
