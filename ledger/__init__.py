"""What happened, who decided, and what was done: the truth about every run.

Read `records` (what is kept), `base` (what a ledger can do), `authorization` and `invariants` (what it allows); then `memory`
or `postgres` with `sql/` (how it is kept), and `audit_chain` with `reconciling` (how it is proved). What only the database
has (`services`) stands in a file a subject, rules and statements together: `admissions`, `policies`, `queries`.
"""
