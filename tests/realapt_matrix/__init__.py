"""What real apts do with every answer that a gateway could give when it has nothing to give.

`python -m tests.realapt_matrix TREE…` measures (each TREE a debootstrapped root with another apt) and
writes `measured.jsonl` beside this file and `docs/apt-clients.md` from it. The rules of
`tidegate.gateway.refusal` are held to what was measured by tests/gateway/test_refusal.py.
"""
