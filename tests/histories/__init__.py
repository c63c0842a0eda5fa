"""Histories: the deciding code of sources and keeper, lived through from a seed.

The production rooms (`sources.fetching` with flights, selection, health and breaker; `keeper`; `trust`; the gateway's
`Resolver`) are joined as wiring joins them, but on an event loop whose time is virtual, over a network and a disk that
are played. A seed chooses sources, their faults, publications, clients, a disk that fills up, and crashes; the
properties of `properties.py` must hold in every history.

    python -m tests.histories --seeds 5000          many, one line for each that fails
    python -m tests.histories --seed 17 -v          one, told line by line
"""
