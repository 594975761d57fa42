-- How far each destination of outgoing events has been told the audit log, in order and without a gap; and who sends to it now.
CREATE TABLE ledger.outgoing (
    name TEXT NOT NULL,
    -- the last row of the log that was delivered, or is not for this destination
    seq BIGINT NOT NULL,
    delivered_at TIMESTAMPTZ,
    -- tries in a row of the row after that one, and what came of the last
    failures INTEGER DEFAULT 0 NOT NULL,
    failing_since TIMESTAMPTZ,
    retry_at TIMESTAMPTZ,
    error TEXT DEFAULT '' NOT NULL,
    -- whoever has the newest token sends, until then; NULL where nobody does
    token BIGINT DEFAULT 0 NOT NULL,
    until TIMESTAMPTZ,
    CONSTRAINT pk_outgoing PRIMARY KEY (name),
    CONSTRAINT ck_outgoing_legible CHECK (
        ledger.is_moment(delivered_at)
        AND ledger.is_moment(failing_since)
        AND ledger.is_moment(retry_at)
        AND ledger.is_moment(until)
    )
);
