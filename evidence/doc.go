// Package evidence keeps what a verification session left behind: everything that Identomat returns about
// the session, complete and unaltered, in one package that can be verified without Identomat.
//
//	report, err := evidence.Collect(ctx, client, token, evidence.Dir("evidence/user-1"),
//		evidence.With("decision.json", []byte(`{"decision":"accepted"}`)))
//	check, err := evidence.Verify(os.DirFS("evidence/user-1"))
//	err = evidence.Pack(w, os.DirFS("evidence/user-1"))
//	receipt, err := evidence.Erase(ctx, client, token, os.DirFS("evidence/user-1"))
//
// # The package
//
// A package is a folder in the BagIt format, version 1.0 (RFC 8493), or a zip of that folder. Any BagIt
// tool, sha256sum -c and sha512sum -c can verify it:
//
//	bagit.txt, bag-info.txt        the format, the session, the size, the times of collection
//	collection.json                each source: collected, absent or failed, with time, attempts and status
//	manifest-sha256.txt, -sha512   the hashes of the files in data
//	tagmanifest-sha256.txt, …      the hashes of the files above
//	seal/                          time stamps over tagmanifest-sha256.txt, if the caller adds them
//	data/result.json               the response from result/, byte for byte
//	data/session-config.json       the configuration that the session was begun with
//	data/activities.json, statistics.json, report.pdf
//	data/media/                    images and videos
//	data/documents/                proofs of address and other general documents
//	data/questions/                files that answer questions, named by the numbers of questionnaire, question and file
//	data/visual-markers/           archives, as they arrived
//	data/video-call/               archives, as they arrived
//	data/…                         what the caller adds with [With]
//
// A source is a response, or all responses of one kind: a file that answers a question is a source of its own,
// but all archives in data/visual-markers are one source. Each archive is one file.
//
// File names contain no token and no personal data. Files are readable by their owner alone.
//
// A package is complete when the session has ended or is in manual check, and every source was collected
// or is absent. A source is absent if the service says so: HTTP 404, a documented error code, or an empty
// list. After any other failure the package is incomplete, and a later [Collect] fetches the rest.
//
// # What a package proves
//
// [Verify] finds every file that was changed, added, removed or renamed since the collection, unless
// somebody has also rewritten all manifests. To exclude that, keep [Check.Digest] or a [Receipt]
// elsewhere, or add a time stamp.
//
// # Errors, money and testing
//
// Errors match the Err variables with errors.Is. After [ErrIncomplete], call Collect again later. No function
// makes a call that may be billed: add the hits of a screening and similar responses yourself, with [With].
// For tests, package identomattest serves every kind of evidence. It logs a refusal for every kind that the
// session lacks, which the report calls [Absent].
//
// # Where next
//
// Module github.com/identomat-go/identomat/evidence/seal makes time stamps and encrypts packages. The page docs/evidence.md in
// the repository says what regulators ask for, what a package covers, and how to store and erase packages.
package evidence
