-- What package identomatriver knows about verifications, screenings and monitorings. Times are
-- milliseconds since 1970 in UTC, or 0.
CREATE TABLE identomat_records (
	kind       TEXT NOT NULL,
	id         TEXT NOT NULL,
	state      TEXT NOT NULL,
	token      BYTEA,           -- encrypted, if the store has a cipher
	token_hash BYTEA UNIQUE,    -- SHA-256
	intent     BIGINT NOT NULL,
	wakes      BIGINT NOT NULL,
	queued_at  BIGINT NOT NULL,
	called_at  BIGINT NOT NULL,
	entered_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	due_at     BIGINT NOT NULL,
	sealed_at  BIGINT NOT NULL,
	erase_at   BIGINT NOT NULL,
	held       BOOLEAN NOT NULL,
	anyway     TEXT NOT NULL,
	receipt    BYTEA,
	erased_at  BIGINT NOT NULL,
	PRIMARY KEY (kind, id)
);
CREATE INDEX identomat_records_due ON identomat_records (due_at) WHERE due_at > 0;
CREATE INDEX identomat_records_called ON identomat_records (called_at);
CREATE INDEX identomat_records_undecided ON identomat_records (state, entered_at)
	WHERE state IN ('queued', 'calling', 'unclear', 'open', 'manual_check');

-- The next free moment of each rate limit, in microseconds.
CREATE TABLE identomat_limits (
	name    TEXT PRIMARY KEY,
	next_at BIGINT NOT NULL
);
