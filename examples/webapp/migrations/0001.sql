-- What the bank must know about a verification: no names, images or results. Package identomatriver
-- has tables of its own for sessions, and River for jobs. Times are milliseconds since 1970 in UTC.
-- SERIAL_KEY is the type of a key that the database assigns.

CREATE TABLE sign_ins (
	id         BYTEA PRIMARY KEY,  -- SHA-256 of the cookie; the cookie itself is not stored
	user_id    TEXT NOT NULL,
	expires_at BIGINT NOT NULL
);

CREATE TABLE verifications (
	id          SERIAL_KEY,
	customer    TEXT NOT NULL,
	way         TEXT NOT NULL CHECK (way IN ('redirect', 'iframe')),
	state       TEXT NOT NULL CHECK (state IN
	            ('beginning', 'unclear', 'in_progress', 'manual_check', 'approved', 'rejected', 'expired')),
	returned    BOOLEAN NOT NULL DEFAULT FALSE,
	erasing     BOOLEAN NOT NULL DEFAULT FALSE,
	erased_by   TEXT NOT NULL DEFAULT '',  -- the reviewer who erases the session at Identomat
	reserved_at BIGINT NOT NULL,
	expires_at  BIGINT NOT NULL
);

-- A session costs money, so a customer can have only one open verification, however often the customer
-- presses the button.
CREATE UNIQUE INDEX one_open_verification ON verifications (customer) WHERE state NOT IN ('rejected', 'expired');

-- When a customer began sessions, to limit the attempts. The rows survive an erasure.
CREATE TABLE begins (
	verification BIGINT PRIMARY KEY,
	customer     TEXT NOT NULL,
	at           BIGINT NOT NULL
);
CREATE INDEX begins_of_customer ON begins (customer, at);

-- The outcome of a verification, which is written once.
CREATE TABLE outcomes (
	verification BIGINT PRIMARY KEY REFERENCES verifications (id) ON DELETE CASCADE,
	outcome      TEXT NOT NULL CHECK (outcome IN ('approved', 'rejected', 'expired')),
	reason       TEXT NOT NULL,
	decided_by   TEXT NOT NULL,
	decided_at   BIGINT NOT NULL
);

-- The account that an approval opens. A customer has at most one.
CREATE TABLE accounts (
	customer     TEXT PRIMARY KEY,
	verification BIGINT NOT NULL UNIQUE REFERENCES verifications (id) ON DELETE CASCADE,
	opened_at    BIGINT NOT NULL
);

-- The responses to billed checks that reviewers requested. This is the only table with names and
-- birthdays, both of customers and of people on sanctions lists. The rows are deleted with the
-- verification.
CREATE TABLE checks (
	verification BIGINT NOT NULL REFERENCES verifications (id) ON DELETE CASCADE,
	kind         TEXT NOT NULL,    -- comparison, screening, or person and the ID of a hit
	at           BIGINT NOT NULL,
	who          TEXT NOT NULL,
	answer       TEXT NOT NULL,    -- JSON
	PRIMARY KEY (verification, kind)
);

-- The audit log: who looked at what. It holds no customer data and survives an erasure.
CREATE TABLE audit (
	id           SERIAL_KEY,
	at           BIGINT NOT NULL,
	who          TEXT NOT NULL,
	action       TEXT NOT NULL,
	verification BIGINT NOT NULL
);
