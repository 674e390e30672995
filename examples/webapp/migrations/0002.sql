-- The responses to billed checks that reviewers requested. This is the only table with names and
-- birthdays, both of customers and of people on sanctions lists. The rows are deleted with the
-- verification.
CREATE TABLE checks (
	verification INTEGER NOT NULL REFERENCES verifications (id) ON DELETE CASCADE,
	kind         TEXT NOT NULL,    -- comparison, screening, or person and the ID of a hit
	at           INTEGER NOT NULL,
	who          TEXT NOT NULL,
	answer       TEXT NOT NULL,    -- JSON
	PRIMARY KEY (verification, kind)
) STRICT;
