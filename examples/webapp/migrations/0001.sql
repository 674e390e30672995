-- The tables hold only what the bank must know about a verification: no names, images or results.
-- Times are milliseconds since 1970 in UTC.

CREATE TABLE sign_ins (
	id         BLOB PRIMARY KEY,  -- SHA-256 of the cookie; the cookie itself is not stored
	user       TEXT NOT NULL,
	expires_at INTEGER NOT NULL
) STRICT;

CREATE TABLE verifications (
	id          INTEGER PRIMARY KEY AUTOINCREMENT,
	customer    TEXT NOT NULL,
	way         TEXT NOT NULL CHECK (way IN ('redirect', 'iframe')),
	state       TEXT NOT NULL CHECK (state IN
	            ('beginning', 'unclear', 'in_progress', 'manual_check', 'approved', 'rejected', 'expired')),
	token       TEXT UNIQUE,      -- NULL while the state is beginning or unclear
	url         TEXT NOT NULL DEFAULT '',
	returned    INTEGER NOT NULL DEFAULT 0,
	erasing     INTEGER NOT NULL DEFAULT 0,
	reserved_at INTEGER NOT NULL,
	expires_at  INTEGER NOT NULL,
	CHECK ((token IS NULL) = (state IN ('beginning', 'unclear')))
) STRICT;

-- A session costs money, so a customer can have only one open verification, however often the customer
-- presses the button.
CREATE UNIQUE INDEX one_open_verification ON verifications (customer) WHERE state NOT IN ('rejected', 'expired');

-- When a customer began sessions, to limit the attempts. The rows survive an erasure.
CREATE TABLE begins (
	customer TEXT NOT NULL,
	at       INTEGER NOT NULL
) STRICT;
CREATE INDEX begins_of_customer ON begins (customer, at);

-- Verifications whose outcome the worker must fetch, or whose session it must erase.
CREATE TABLE jobs (
	verification INTEGER PRIMARY KEY REFERENCES verifications (id) ON DELETE CASCADE,
	due_at       INTEGER NOT NULL,
	tries        INTEGER NOT NULL DEFAULT 0,
	wakes        INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX jobs_due ON jobs (due_at);

-- The outcome of a verification, which is written once.
CREATE TABLE outcomes (
	verification INTEGER PRIMARY KEY REFERENCES verifications (id) ON DELETE CASCADE,
	outcome      TEXT NOT NULL CHECK (outcome IN ('approved', 'rejected', 'expired')),
	reason       TEXT NOT NULL,
	decided_by   TEXT NOT NULL,
	decided_at   INTEGER NOT NULL
) STRICT;

-- The account that an approval opens. A customer has at most one.
CREATE TABLE accounts (
	customer     TEXT PRIMARY KEY,
	verification INTEGER NOT NULL UNIQUE REFERENCES verifications (id) ON DELETE CASCADE,
	opened_at    INTEGER NOT NULL
) STRICT;

-- The audit log: who looked at what. It holds no customer data and survives an erasure.
CREATE TABLE audit (
	id           INTEGER PRIMARY KEY AUTOINCREMENT,
	at           INTEGER NOT NULL,
	who          TEXT NOT NULL,
	action       TEXT NOT NULL,
	verification INTEGER NOT NULL
) STRICT;
