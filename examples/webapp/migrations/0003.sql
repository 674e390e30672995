-- Receipts for sessions that were erased at Identomat. They hold no customer data and survive an erasure.
CREATE TABLE receipts (
	verification INTEGER PRIMARY KEY,
	receipt      TEXT NOT NULL  -- JSON
) STRICT;

-- Collect the evidence of verifications that were decided before.
INSERT INTO jobs (verification, due_at)
	SELECT id, 0 FROM verifications WHERE state IN ('approved', 'rejected') AND NOT erasing;
