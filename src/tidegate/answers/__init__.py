"""What is known of vulnerabilities, told the way others already ask for it.

Each module renders one form from the history, for now or for a moment of the past: `security_api` (Ubuntu's),
`debsecan`, `openvex`, `table`, `metrics`; `board` is what the pages tell. `age` says how old an answer is, and no
answer goes out without it. All pure but for what the history reads.
"""
