-- The tables, as `ledger.tables` names them.

-- changes of people that take two, until somebody else confirms
CREATE TABLE ledger.admissions (
    admission_id TEXT NOT NULL,
    number BIGINT GENERATED ALWAYS AS IDENTITY,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    customer_id TEXT,
    -- whether the person is to have a local account
    account BOOLEAN NOT NULL,
    asked_by TEXT NOT NULL,
    asked_at TIMESTAMPTZ NOT NULL,
    lapses_at TIMESTAMPTZ NOT NULL,
    -- the first half of a one-time password, which whoever asked has; gone once it is settled
    half TEXT DEFAULT '' NOT NULL,
    status TEXT NOT NULL,
    settled_by TEXT DEFAULT '' NOT NULL,
    settled_at TIMESTAMPTZ,
    CONSTRAINT pk_admissions PRIMARY KEY (admission_id),
    CONSTRAINT ck_admissions_kind CHECK (kind IN ('role', 'password', 'second_factor')),
    CONSTRAINT ck_admissions_status CHECK (status IN ('asked', 'confirmed', 'refused', 'lapsed')),
    -- two people in the database too, and neither is whom it is about
    CONSTRAINT ck_admissions_two_people CHECK (status <> 'confirmed' OR settled_by NOT IN (asked_by, name)),
    CONSTRAINT ck_admissions_not_oneself CHECK (asked_by <> name),
    CONSTRAINT uq_admissions_number UNIQUE (number)
);

CREATE UNIQUE INDEX uq_admissions_open ON ledger.admissions (kind, name) WHERE status = 'asked';

-- how much each source has handed in since the beginning of the hour in which it last did
CREATE TABLE ledger.arrivals (
    name TEXT NOT NULL,
    hour TIMESTAMPTZ NOT NULL,
    kept INTEGER NOT NULL,
    CONSTRAINT pk_arrivals PRIMARY KEY (name)
);

-- wrong passwords by name and place, and by place
CREATE TABLE ledger.attempts (
    -- sha256 of both: names that nobody has, and where people are, stand nowhere
    bucket TEXT NOT NULL,
    failures INTEGER NOT NULL,
    until TIMESTAMPTZ,
    at TIMESTAMPTZ NOT NULL,
    CONSTRAINT pk_attempts PRIMARY KEY (bucket)
);

CREATE INDEX ix_attempts_at ON ledger.attempts (at);

CREATE TABLE ledger.audit (
    seq BIGINT NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    kind TEXT NOT NULL,
    -- no foreign key: the log outlives what it tells of
    run_id TEXT NOT NULL,
    body JSONB NOT NULL,
    previous TEXT NOT NULL,
    digest TEXT NOT NULL,
    CONSTRAINT pk_audit PRIMARY KEY (seq)
);

CREATE INDEX ix_audit_kind ON ledger.audit (kind, seq);

CREATE INDEX ix_audit_run_id ON ledger.audit (run_id);

-- what came as an event and is none, until somebody settles it
CREATE TABLE ledger.dead_letters (
    letter_id TEXT NOT NULL,
    number BIGINT GENERATED ALWAYS AS IDENTITY,
    source TEXT NOT NULL,
    body TEXT NOT NULL,
    reason TEXT NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    settled_at TIMESTAMPTZ,
    settled_by TEXT DEFAULT '' NOT NULL,
    settled_reason TEXT DEFAULT '' NOT NULL,
    CONSTRAINT pk_dead_letters PRIMARY KEY (letter_id),
    CONSTRAINT uq_dead_letters_number UNIQUE (number)
);

CREATE INDEX ix_dead_letters_open ON ledger.dead_letters (number) WHERE settled_at IS NULL;

CREATE INDEX ix_dead_letters_source ON ledger.dead_letters (source) WHERE settled_at IS NULL;

-- the systems that may hand events in
CREATE TABLE ledger.event_sources (
    name TEXT NOT NULL,
    -- sha256 of the token: who reads the table cannot hand events in with it
    digest TEXT NOT NULL,
    added_by TEXT NOT NULL,
    added_at TIMESTAMPTZ NOT NULL,
    ended_at TIMESTAMPTZ,
    -- what its events may start; NULL for everything
    missions JSONB,
    as_of_days INTEGER DEFAULT '1' NOT NULL,
    -- events and dead letters that are kept of it in an hour
    hourly INTEGER DEFAULT '3600' NOT NULL,
    CONSTRAINT pk_event_sources PRIMARY KEY (name),
    CONSTRAINT uq_event_sources_digest UNIQUE (digest)
);

-- how far the change feed of a system was read
CREATE TABLE ledger.feeds (
    name TEXT NOT NULL,
    cursor TEXT NOT NULL,
    polled_at TIMESTAMPTZ NOT NULL,
    error TEXT DEFAULT '' NOT NULL,
    CONSTRAINT pk_feeds PRIMARY KEY (name)
);

-- events, each taken in once
CREATE TABLE ledger.inbox (
    source_id TEXT NOT NULL,
    name TEXT NOT NULL,
    mission TEXT NOT NULL,
    subject TEXT NOT NULL,
    trigger JSONB NOT NULL,
    as_of TIMESTAMPTZ NOT NULL,
    requested_by TEXT DEFAULT '' NOT NULL,
    -- tells the same event that comes again from another one under its source id
    digest TEXT NOT NULL,
    taken_in_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT pk_inbox PRIMARY KEY (source_id)
);

-- the messages of one customer
CREATE INDEX ix_inbox_customer ON ledger.inbox ((trigger ->> 'customer_id')) WHERE name = 'support.message';

CREATE INDEX ix_inbox_subject ON ledger.inbox (subject);

-- questions to language models: what they took, and the answers that were used
CREATE TABLE ledger.model_calls (
    call_id TEXT NOT NULL,
    number BIGINT GENERATED ALWAYS AS IDENTITY,
    -- no foreign key: a text is read where there is no run
    run_id TEXT NOT NULL,
    look INTEGER NOT NULL,
    purpose TEXT NOT NULL,
    model TEXT NOT NULL,
    prompt TEXT NOT NULL,
    question TEXT NOT NULL,
    status TEXT NOT NULL,
    -- the budget of a day is counted by it
    at TIMESTAMPTZ NOT NULL,
    ended_at TIMESTAMPTZ,
    reserved_tokens BIGINT NOT NULL,
    input_tokens BIGINT NOT NULL,
    output_tokens BIGINT NOT NULL,
    cost_cents FLOAT NOT NULL,
    latency_ms FLOAT NOT NULL,
    retries INTEGER NOT NULL,
    error TEXT NOT NULL,
    answer JSONB,
    CONSTRAINT pk_model_calls PRIMARY KEY (call_id),
    CONSTRAINT ck_model_calls_status CHECK (status IN ('sent', 'answered', 'failed')),
    CONSTRAINT uq_model_calls_number UNIQUE (number)
);

CREATE INDEX ix_model_calls_at ON ledger.model_calls (at);

CREATE INDEX ix_model_calls_question ON ledger.model_calls (question);

CREATE INDEX ix_model_calls_run_id ON ledger.model_calls (run_id);

CREATE TABLE ledger.people (
    -- the name without case and blanks: 'Ann' and 'ann' are one person
    key TEXT NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    customer_id TEXT,
    -- what the name looks like: no two can be taken for each other
    skeleton TEXT NOT NULL,
    CONSTRAINT pk_people PRIMARY KEY (key),
    CONSTRAINT ck_people_role CHECK (role IN ('customer', 'analyst', 'reviewer', 'supervisor', 'finance', 'administrator', 'auditor')),
    CONSTRAINT uq_people_skeleton UNIQUE (skeleton)
);

-- all policies together, as they decide from a moment on
CREATE TABLE ledger.policy_books (
    book_id TEXT NOT NULL,
    -- [[name of the file, text]]
    documents JSONB NOT NULL,
    by TEXT NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    CONSTRAINT pk_policy_books PRIMARY KEY (book_id)
);

CREATE INDEX ix_policy_books_at ON ledger.policy_books (at);

-- next versions of policies, until somebody else puts them in force
CREATE TABLE ledger.policy_drafts (
    draft_id TEXT NOT NULL,
    number BIGINT GENERATED ALWAYS AS IDENTITY,
    policy_id TEXT NOT NULL,
    base_version INTEGER NOT NULL,
    base_digest TEXT NOT NULL,
    version INTEGER NOT NULL,
    in_force_from DATE NOT NULL,
    -- the whole document, as Markdown with front matter
    text TEXT NOT NULL,
    reason TEXT NOT NULL,
    drafted_by TEXT NOT NULL,
    drafted_at TIMESTAMPTZ NOT NULL,
    status TEXT NOT NULL,
    settled_by TEXT DEFAULT '' NOT NULL,
    settled_at TIMESTAMPTZ,
    settled_reason TEXT DEFAULT '' NOT NULL,
    -- [{"by", "at", "reason"}]: who agreed before, where it takes two
    agreed JSONB DEFAULT '[]' NOT NULL,
    CONSTRAINT pk_policy_drafts PRIMARY KEY (draft_id),
    CONSTRAINT ck_policy_drafts_status CHECK (status IN ('draft', 'in_force', 'withdrawn')),
    -- four eyes in the database too: nobody puts their own draft in force
    CONSTRAINT ck_policy_drafts_four_eyes CHECK (status <> 'in_force' OR settled_by <> drafted_by),
    CONSTRAINT uq_policy_drafts_number UNIQUE (number)
);

CREATE INDEX ix_policy_drafts_open ON ledger.policy_drafts (policy_id) WHERE status = 'draft';

-- rows that somebody locks who must be alone for a moment; no role can, but through a function of the database
CREATE TABLE ledger.turns (
    turn INTEGER NOT NULL,
    CONSTRAINT pk_turns PRIMARY KEY (turn)
);

-- how local accounts sign in; people of an OIDC provider have none
CREATE TABLE ledger.accounts (
    key TEXT NOT NULL,
    -- argon2, with its parameters and salt
    password_hash TEXT NOT NULL,
    -- a one-time password signs in once, until then; NULL for one that the person chose
    one_time_until TIMESTAMPTZ,
    -- of the second factor (TOTP), once somebody was asked for it
    factor_secret TEXT,
    -- the latest step of time whose code was used; NULL until the first one was right
    factor_step BIGINT,
    CONSTRAINT pk_accounts PRIMARY KEY (key),
    CONSTRAINT fk_accounts_key FOREIGN KEY(key) REFERENCES ledger.people (key)
);

-- browsers in which somebody signed in, by sha256 of the token in their cookie
CREATE TABLE ledger.devices (
    digest TEXT NOT NULL,
    key TEXT NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    CONSTRAINT pk_devices PRIMARY KEY (digest, key),
    CONSTRAINT fk_devices_key FOREIGN KEY(key) REFERENCES ledger.people (key)
);

CREATE TABLE ledger.runs (
    run_id TEXT NOT NULL,
    number BIGINT GENERATED ALWAYS AS IDENTITY,
    source_id TEXT NOT NULL,
    versions JSONB NOT NULL,
    status TEXT NOT NULL,
    started_at TIMESTAMPTZ NOT NULL,
    verdict TEXT,
    outcome TEXT,
    ended_at TIMESTAMPTZ,
    CONSTRAINT pk_runs PRIMARY KEY (run_id),
    CONSTRAINT ck_runs_status CHECK (status IN ('running', 'waiting', 'incident', 'closed')),
    CONSTRAINT ck_runs_outcome CHECK (outcome IN ('executed', 'nothing_to_do', 'rejected', 'escalated', 'abandoned')),
    CONSTRAINT ck_runs_closed_has_an_end CHECK ((status = 'closed') = (ended_at IS NOT NULL)),
    CONSTRAINT ck_runs_closed_has_an_outcome CHECK ((status = 'closed') = (outcome IS NOT NULL)),
    CONSTRAINT uq_runs_number UNIQUE (number),
    CONSTRAINT uq_runs_source_id UNIQUE (source_id),
    CONSTRAINT fk_runs_source_id FOREIGN KEY(source_id) REFERENCES ledger.inbox (source_id)
);

CREATE INDEX ix_runs_started_at ON ledger.runs (started_at, number);

CREATE INDEX ix_runs_status ON ledger.runs (status, started_at, number);

CREATE TABLE ledger.sessions (
    -- sha256 of the token in the browser's cookie: who reads the table cannot sign in with it
    digest TEXT NOT NULL,
    key TEXT NOT NULL,
    started_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT pk_sessions PRIMARY KEY (digest),
    CONSTRAINT fk_sessions_key FOREIGN KEY(key) REFERENCES ledger.people (key)
);

CREATE INDEX ix_sessions_key ON ledger.sessions (key);

-- what was put forward to be checked, whole: the state of a graph names it by its id
CREATE TABLE ledger.drafts (
    -- of the run and of what it says
    draft_id TEXT NOT NULL,
    number BIGINT GENERATED ALWAYS AS IDENTITY,
    run_id TEXT NOT NULL,
    body JSONB NOT NULL,
    CONSTRAINT pk_drafts PRIMARY KEY (draft_id),
    CONSTRAINT uq_drafts_number UNIQUE (number),
    CONSTRAINT fk_drafts_run_id FOREIGN KEY(run_id) REFERENCES ledger.runs (run_id)
);

CREATE INDEX ix_drafts_run_id ON ledger.drafts (run_id);

CREATE TABLE ledger.facts (
    run_id TEXT NOT NULL,
    look INTEGER NOT NULL,
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    tool TEXT NOT NULL,
    args JSONB NOT NULL,
    status TEXT NOT NULL,
    value JSONB,
    read_at TIMESTAMPTZ NOT NULL,
    error TEXT,
    CONSTRAINT pk_facts PRIMARY KEY (run_id, look, position),
    CONSTRAINT ck_facts_status CHECK (status IN ('ok', 'absent', 'failed')),
    CONSTRAINT fk_facts_run_id FOREIGN KEY(run_id) REFERENCES ledger.runs (run_id)
);

CREATE TABLE ledger.incidents (
    incident_id TEXT NOT NULL,
    number BIGINT GENERATED ALWAYS AS IDENTITY,
    run_id TEXT NOT NULL,
    reason TEXT NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    closed_at TIMESTAMPTZ,
    CONSTRAINT pk_incidents PRIMARY KEY (incident_id),
    CONSTRAINT uq_incidents_number UNIQUE (number),
    CONSTRAINT fk_incidents_run_id FOREIGN KEY(run_id) REFERENCES ledger.runs (run_id)
);

CREATE INDEX ix_incidents_open ON ledger.incidents (at) WHERE closed_at IS NULL;

CREATE INDEX ix_incidents_run_id ON ledger.incidents (run_id);

-- who works on which run; the token grows with every holder, and whoever has an older one writes no more
CREATE TABLE ledger.leases (
    run_id TEXT NOT NULL,
    token BIGINT NOT NULL,
    holder TEXT NOT NULL,
    -- by the database's clock, whatever the machines' clocks say
    until TIMESTAMPTZ NOT NULL,
    -- holders in a row that did not give it back
    lost INTEGER DEFAULT '0' NOT NULL,
    -- of the holder: with its end the lease ends too
    session_pid INTEGER,
    session_start TIMESTAMPTZ,
    CONSTRAINT pk_leases PRIMARY KEY (run_id),
    CONSTRAINT fk_leases_run_id FOREIGN KEY(run_id) REFERENCES ledger.runs (run_id)
);

CREATE TABLE ledger.observations (
    run_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    step TEXT NOT NULL,
    kind TEXT NOT NULL,
    text TEXT NOT NULL,
    evidence JSONB NOT NULL,
    CONSTRAINT pk_observations PRIMARY KEY (run_id, seq),
    CONSTRAINT ck_observations_kind CHECK (kind IN ('event', 'read', 'finding', 'policy', 'prediction', 'plan', 'check', 'decision', 'effect', 'verdict', 'missing')),
    CONSTRAINT fk_observations_run_id FOREIGN KEY(run_id) REFERENCES ledger.runs (run_id)
);

CREATE TABLE ledger.proposals (
    proposal_id TEXT NOT NULL,
    number BIGINT GENERATED ALWAYS AS IDENTITY,
    run_id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    author TEXT NOT NULL,
    verdict TEXT NOT NULL,
    plan JSONB NOT NULL,
    rationale TEXT NOT NULL,
    cites JSONB NOT NULL,
    alternatives JSONB NOT NULL,
    changes JSONB NOT NULL,
    confidence FLOAT(53) NOT NULL,
    money_at_stake_cents BIGINT NOT NULL,
    role TEXT NOT NULL,
    four_eyes BOOLEAN NOT NULL,
    clauses JSONB NOT NULL,
    -- whether whoever worded it may approve it
    own BOOLEAN DEFAULT false NOT NULL,
    -- the totals over runs that it adds to
    limits JSONB DEFAULT '[]' NOT NULL,
    digest TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    due_at TIMESTAMPTZ NOT NULL,
    tier TEXT DEFAULT '' NOT NULL,
    status TEXT NOT NULL,
    -- the run that must be closed before this can be approved
    held_by TEXT DEFAULT '' NOT NULL,
    -- the proposal whose steps it takes back
    undoes TEXT DEFAULT '' NOT NULL,
    CONSTRAINT pk_proposals PRIMARY KEY (proposal_id),
    CONSTRAINT ck_proposals_status CHECK (status IN ('pending', 'approved', 'rejected', 'sent_back', 'superseded', 'escalated', 'automatic')),
    CONSTRAINT ck_proposals_role CHECK (role IN ('none', 'reviewer', 'supervisor', 'finance')),
    CONSTRAINT uq_proposals_number UNIQUE (number),
    CONSTRAINT fk_proposals_run_id FOREIGN KEY(run_id) REFERENCES ledger.runs (run_id)
);

-- the runs that cite a clause
CREATE INDEX ix_proposals_cites ON ledger.proposals USING gin (cites jsonb_path_ops);

CREATE INDEX ix_proposals_held_by ON ledger.proposals (held_by) WHERE held_by <> '';

CREATE INDEX ix_proposals_queue ON ledger.proposals (due_at, proposal_id) WHERE status = 'pending';

CREATE INDEX ix_proposals_run_id ON ledger.proposals (run_id);

-- one pending proposal a run; also what the queue reads
CREATE UNIQUE INDEX uq_proposals_pending ON ledger.proposals (run_id) WHERE status = 'pending';

-- until when what was sent last for a run may be done, by the database's clock
CREATE TABLE ledger.sends (
    run_id TEXT NOT NULL,
    until TIMESTAMPTZ NOT NULL,
    CONSTRAINT pk_sends PRIMARY KEY (run_id),
    CONSTRAINT fk_sends_run_id FOREIGN KEY(run_id) REFERENCES ledger.runs (run_id)
);

-- proposals whose effects may be written, each with what it took and the decisions that gave it
CREATE TABLE ledger.authorizations (
    proposal_id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    digest TEXT NOT NULL,
    role TEXT NOT NULL,
    four_eyes BOOLEAN NOT NULL,
    -- the ids of the decisions that were counted
    decisions JSONB NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    CONSTRAINT pk_authorizations PRIMARY KEY (proposal_id),
    CONSTRAINT ck_authorizations_role CHECK (role IN ('none', 'reviewer', 'supervisor', 'finance')),
    CONSTRAINT fk_authorizations_proposal_id FOREIGN KEY(proposal_id) REFERENCES ledger.proposals (proposal_id),
    CONSTRAINT fk_authorizations_run_id FOREIGN KEY(run_id) REFERENCES ledger.runs (run_id)
);

CREATE INDEX ix_authorizations_run_id ON ledger.authorizations (run_id);

-- who has which proposal open
CREATE TABLE ledger.claims (
    proposal_id TEXT NOT NULL,
    by TEXT NOT NULL,
    since TIMESTAMPTZ NOT NULL,
    until TIMESTAMPTZ NOT NULL,
    CONSTRAINT pk_claims PRIMARY KEY (proposal_id),
    CONSTRAINT fk_claims_proposal_id FOREIGN KEY(proposal_id) REFERENCES ledger.proposals (proposal_id)
);

-- what plans that somebody approved, or that are begun, add to the totals that limits are about
CREATE TABLE ledger.commitments (
    proposal_id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    step INTEGER NOT NULL,
    kind TEXT NOT NULL,
    per TEXT NOT NULL,
    key TEXT NOT NULL,
    cents BIGINT NOT NULL,
    -- by the database's clock, whatever the machines' clocks say
    at TIMESTAMPTZ NOT NULL,
    CONSTRAINT pk_commitments PRIMARY KEY (proposal_id, step, kind, per, key),
    CONSTRAINT ck_commitments_cents CHECK (cents > 0),
    CONSTRAINT ck_commitments_at CHECK (isfinite(at)),
    CONSTRAINT fk_commitments_proposal_id FOREIGN KEY(proposal_id) REFERENCES ledger.proposals (proposal_id),
    CONSTRAINT fk_commitments_run_id FOREIGN KEY(run_id) REFERENCES ledger.runs (run_id)
);

CREATE INDEX ix_commitments_run_id ON ledger.commitments (run_id);

CREATE INDEX ix_commitments_total ON ledger.commitments (kind, per, key, at);

CREATE TABLE ledger.decisions (
    decision_id TEXT NOT NULL,
    number BIGINT GENERATED ALWAYS AS IDENTITY,
    proposal_id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    by TEXT NOT NULL,
    role TEXT NOT NULL,
    reason TEXT NOT NULL,
    digest TEXT NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    details JSONB NOT NULL,
    CONSTRAINT pk_decisions PRIMARY KEY (decision_id),
    CONSTRAINT ck_decisions_kind CHECK (kind IN ('approve', 'edit', 'reject', 'respond', 'escalate')),
    CONSTRAINT uq_decisions_number UNIQUE (number),
    CONSTRAINT fk_decisions_proposal_id FOREIGN KEY(proposal_id) REFERENCES ledger.proposals (proposal_id),
    CONSTRAINT fk_decisions_run_id FOREIGN KEY(run_id) REFERENCES ledger.runs (run_id)
);

CREATE INDEX ix_decisions_at ON ledger.decisions (at);

CREATE INDEX ix_decisions_proposal_id ON ledger.decisions (proposal_id);

CREATE INDEX ix_decisions_run_id ON ledger.decisions (run_id);

-- four eyes in the database too: nobody approves a proposal twice
CREATE UNIQUE INDEX uq_decisions_approval ON ledger.decisions (proposal_id, by) WHERE kind = 'approve';

CREATE TABLE ledger.effects (
    key TEXT NOT NULL,
    number BIGINT GENERATED ALWAYS AS IDENTITY,
    run_id TEXT NOT NULL,
    proposal_id TEXT NOT NULL,
    step INTEGER NOT NULL,
    action TEXT NOT NULL,
    tool TEXT NOT NULL,
    args JSONB NOT NULL,
    status TEXT NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    receipt JSONB,
    error TEXT,
    -- [{"system", "record", "field", "before", "after"}]: what the step is to change
    expects JSONB,
    CONSTRAINT pk_effects PRIMARY KEY (key),
    CONSTRAINT ck_effects_status CHECK (status IN ('intended', 'executing', 'done', 'failed', 'unknown')),
    CONSTRAINT uq_effects_number UNIQUE (number),
    CONSTRAINT fk_effects_run_id FOREIGN KEY(run_id) REFERENCES ledger.runs (run_id),
    CONSTRAINT fk_effects_proposal_id FOREIGN KEY(proposal_id) REFERENCES ledger.proposals (proposal_id)
);

CREATE INDEX ix_effects_run_id ON ledger.effects (run_id);

-- the records that a proposal would change ("oms.orders O-17")
CREATE TABLE ledger.touches (
    proposal_id TEXT NOT NULL,
    record TEXT NOT NULL,
    CONSTRAINT pk_touches PRIMARY KEY (proposal_id, record),
    CONSTRAINT fk_touches_proposal_id FOREIGN KEY(proposal_id) REFERENCES ledger.proposals (proposal_id)
);

CREATE INDEX ix_touches_record ON ledger.touches (record);

-- what somebody did with the lesson in a decision
CREATE TABLE ledger.lessons (
    decision_id TEXT NOT NULL,
    number BIGINT GENERATED ALWAYS AS IDENTITY,
    status TEXT NOT NULL,
    by TEXT NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    dataset TEXT DEFAULT '' NOT NULL,
    digest TEXT DEFAULT '' NOT NULL,
    reason TEXT DEFAULT '' NOT NULL,
    CONSTRAINT pk_lessons PRIMARY KEY (decision_id),
    CONSTRAINT ck_lessons_status CHECK (status IN ('promoted', 'dropped')),
    CONSTRAINT fk_lessons_decision_id FOREIGN KEY(decision_id) REFERENCES ledger.decisions (decision_id),
    CONSTRAINT uq_lessons_number UNIQUE (number)
);
