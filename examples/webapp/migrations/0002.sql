-- What reviewers have asked Identomat for at a price, as it came. It is the one table with names
-- and birthdays, of the customer and of people on lists, and goes with the verification.
CREATE TABLE checks (
	verification INTEGER NOT NULL REFERENCES verifications (id) ON DELETE CASCADE,
	kind         TEXT NOT NULL,    -- comparison, screening, or person with the id of a hit
	at           INTEGER NOT NULL,
	who          TEXT NOT NULL,
	answer       TEXT NOT NULL,    -- JSON
	PRIMARY KEY (verification, kind)
) STRICT;
