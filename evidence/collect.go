package evidence

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/internal/operation"
	"github.com/identomat-go/identomat/internal/trace"
)

// Destination is where [Collect] puts a package. [Dir] and [Zip] make one.
type Destination struct {
	dir string
	w   io.Writer
}

// Dir is the folder of one package. Collect creates the folder if necessary. An existing folder must be
// empty or hold the session's package, which Collect completes. Before Collect writes to an existing folder,
// it makes the folder accessible to its owner alone (0700).
func Dir(path string) Destination { return Destination{dir: path} }

// Zip writes a complete package to w, as [Pack] does. Memory stays constant. Collect first collects the files
// in a folder in [os.TempDir], which it removes afterwards: signatures are verified at the end of each
// response, and nothing unverified or partial may reach w. A crash leaves the folder, whose name begins with
// evidence-. If the collection fails, nothing is written, and the next Collect starts again. If w fails,
// discard what was written.
func Zip(w io.Writer) Destination { return Destination{w: w} }

// Option configures [Collect].
type Option func(*options)

type options struct {
	added    []added
	progress func(Progress)
	step     step
}

// added is a file from the caller.
type added struct {
	name string
	data []byte
}

// With adds a file that Identomat does not keep, such as the decision, the hits of a
// screening (a billed call, which Collect never makes), or a callback. The file becomes data/name.
//
// A name is a slash-separated path of lowercase ASCII letters, digits, dots, hyphens and underscores. It must
// contain neither personal data nor the token, and its first element must not be one that Collect uses,
// such as media or result.json. If the package already has the name, the data must be the same
// ([ErrAddedBefore]), so encode a decision once and store it. Store the hits of a screening once, too: another
// search may be billed, and another response is ErrAddedBefore. A later Collect keeps the file without With.
//
// All added files together can take half of each limit of a package ([ErrTooLarge]), such as 5,000 files.
func With(name string, data []byte) Option {
	return func(o *options) { o.added = append(o.added, added{name, data}) }
}

// OnProgress sets a function that Collect calls when a source begins, after every read, and when a source
// ends. The calls never overlap.
func OnProgress(report func(Progress)) Option { return func(o *options) { o.progress = report } }

// Progress is the progress of a collection.
type Progress struct {
	// Source is the name of the source that has made progress. See [Source.Name].
	Source string
	// State is empty until the source has ended.
	State State
	// Read is the number of bytes that were read. Size is the total number, or -1 if it is unknown.
	Read, Size int64
	// Done and Total count sources. Total grows when a question turns out to have more files.
	Done, Total int
}

// maxDownloads is how many sources are fetched at a time.
const maxDownloads = 3

// Collect fetches everything that the session left behind, and stores it as the package comment describes. It
// makes at most three downloads at a time, through the client and its limits, and holds no file in memory.
//
// Collect can be stopped at any time, even by a crash. Called again, it fetches only what is missing; a
// complete package is not changed unless [With] adds a file. Only one Collect at a time can use a folder: the
// second gets [ErrInUse].
//
// If a source could not be fetched, Collect continues with the others, and returns the report together
// with an error that matches [ErrIncomplete] and the cause of each failure. A session in progress is
// incomplete, too: the next Collect fetches all responses again, because they may have changed, and keeps
// the caller's files.
//
// With every other error, there is no report. If result/ fails, the error is that of the call. Then call
// Collect again later, even if [identomat.MaybeProcessed] is true, because Collect only reads. If Collect
// cannot write to the folder, or a file in the folder was changed, is missing or does not belong there, the
// error names the file and, for a wrong file, matches [ErrChanged], [ErrMissing] or [ErrUnexpectedFile]. If
// the folder holds another session's package, the error is [ErrOtherSession]. If the package would exceed a
// limit of [Verify], the error is [ErrTooLarge].
//
// Errors contain the names of sources, but neither values nor the path of the folder.
func Collect(ctx context.Context, client *identomat.Client, token identomat.Token, to Destination, opts ...Option) (*Report, error) {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	if err := o.check(token); err != nil {
		return nil, err
	}
	c := &collection{options: o, client: client, token: token}
	if to.w == nil {
		return c.run(ctx, to.dir)
	}
	dir, err := os.MkdirTemp("", "evidence-")
	if err != nil {
		return nil, fmt.Errorf("evidence: cannot create a temporary folder: %w", withoutPath(err))
	}
	report, err := c.run(ctx, dir)
	if err == nil {
		if err = Pack(to.w, os.DirFS(dir)); err != nil {
			report = nil
		}
	}
	if left := os.RemoveAll(dir); left != nil {
		return nil, errors.Join(err, fmt.Errorf("evidence: cannot remove the temporary folder: %w", withoutPath(left)))
	}
	return report, err
}

// check checks the names and the sizes of the added files.
func (o *options) check(token identomat.Token) error {
	used := tree{}
	for i, file := range o.added {
		first, _, _ := strings.Cut(file.name, "/")
		stem, _, _ := strings.Cut(first, ".")
		problem := checkPath(payload + file.name)
		switch {
		case problem != "":
		case slices.Contains(reservedNames, stem):
			problem = "is used by Collect"
		case strings.HasSuffix(file.name, partial):
			problem = "must not end in " + partial
		case token != "" && strings.Contains(file.name, strings.ToLower(string(token))):
			problem = "contains the token"
		case used[file.name]:
			problem = "is used twice"
		case !used.add(file.name):
			problem = "is also a folder"
		}
		if problem != "" {
			return fmt.Errorf("evidence: With: the name of file %d %s", i+1, problem)
		}
		if len(file.data) > maxFileSize {
			return fmt.Errorf("evidence: With: %w", &Problem{payload + file.name, ErrTooLarge})
		}
	}
	return nil
}

// tree holds the names of files (true) and of their folders (false).
type tree map[string]bool

// add adds a file. It reports whether no name is both a file and a folder.
func (t tree) add(name string) bool {
	if isFile, found := t[name]; found && !isFile {
		return false
	}
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if t[dir] {
			return false
		}
		t[dir] = false
	}
	t[name] = true
	return true
}

// collection is one run of Collect.
type collection struct {
	options
	client *identomat.Client
	token  identomat.Token
	folder *folder
	result *identomat.Result

	mu       sync.Mutex
	sources  []source
	failures map[string]outcome // by source
	done     int
}

// outcome is a source that failed.
type outcome struct {
	source Source
	err    error
}

func (c *collection) run(ctx context.Context, dir string) (_ *Report, err error) {
	c.failures = map[string]outcome{}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("evidence: cannot create the folder: %w", withoutPath(err))
	}
	if c.folder, err = openFolder(dir, c.step); err != nil {
		return nil, err
	}
	defer c.folder.close()
	done, err := c.folder.load(sessionHash(c.token))
	if err != nil {
		return nil, err
	}
	added, err := c.notYetAdded()
	if err != nil {
		return nil, err
	}
	if done != nil && len(added) == 0 {
		return done, nil
	}
	defer func() {
		if err != nil {
			c.folder.abandon()
		}
	}()
	if err := c.folder.begin(); err != nil {
		return nil, err
	}
	c.sources = []source{resultSource}
	if err := c.readResult(ctx); err != nil {
		return nil, err
	}
	if err := c.add(added); err != nil {
		return nil, err
	}
	c.sources = append(c.sources, sourcesOf(c.result)...)
	if err := c.fetchAll(ctx); err != nil {
		return nil, err
	}
	report := c.report()
	if err := c.folder.finish(report); err != nil {
		return nil, err
	}
	return report, c.incomplete(report)
}

// readResult reads the session's result from the folder, or fetches it if it is missing or not final.
func (c *collection) readResult(ctx context.Context) error {
	if s, ok := c.folder.record(resultName); ok {
		data, err := c.folder.root.ReadFile(s.Files[0].Path)
		if err == nil {
			c.result, err = decodeResult(data)
		}
		if err != nil {
			return &Problem{s.Files[0].Path, withoutPath(err)}
		}
		if c.result.Outcome != identomat.OutcomeInProgress {
			return nil
		}
	}
	c.notify(Progress{Source: resultName, Size: -1})
	s, body, err := c.fetch(ctx, &resultSource)
	if err != nil {
		return err
	}
	if c.result, err = decodeResult(body); err != nil {
		return fmt.Errorf("evidence: %s: %w", resultName, identomat.ErrUnexpectedResponse)
	}
	if err := c.folder.forget(); err != nil {
		return err
	}
	return c.folder.commit(s)
}

func decodeResult(body []byte) (*identomat.Result, error) {
	result := new(identomat.Result)
	return result, result.UnmarshalJSON(bytes.TrimPrefix(body, []byte("\ufeff")))
}

// notYetAdded returns the caller's files that the package does not have. All added files may take half of
// the package's limits, so that the other half is left for the session's files.
func (c *collection) notYetAdded() (files []added, err error) {
	all, names := &Report{}, tree{}
	for _, s := range c.folder.records {
		if s.State == Added {
			all.Sources = append(all.Sources, s)
			names.add(s.Name)
		}
	}
	for _, file := range c.added {
		hash := newHashes()
		_, _ = hash.Write(file.data)
		content := hash.file(payload + file.name)
		existing, found := c.folder.record(file.name)
		if !found {
			files = append(files, file)
			all.Sources = append(all.Sources, addedSource(file.name, content))
		}
		if found && (len(existing.Files) != 1 || existing.Files[0] != content) || !names.add(file.name) {
			return nil, fmt.Errorf("evidence: With: %w", &Problem{content.Path, ErrAddedBefore})
		}
	}
	if len(files) > 0 {
		if err := checkSize(all, tagFiles(all), 2); err != nil {
			return nil, fmt.Errorf("evidence: With: all added files together: %w", err)
		}
	}
	return files, nil
}

func addedSource(name string, content File) Source {
	return Source{Name: name, State: Added, Time: now(), Files: []File{content}}
}

// add stores the caller's files.
func (c *collection) add(files []added) error {
	for _, file := range files {
		content, err := c.folder.put(payload+file.name, file.data)
		if err != nil {
			return err
		}
		if err := c.folder.commit(addedSource(file.name, content)); err != nil {
			return err
		}
	}
	return nil
}

func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// fetchAll fetches the sources that have no record. It returns an error only if the folder fails.
func (c *collection) fetchAll(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	queue := make(chan source)
	var workers sync.WaitGroup
	var failed [maxDownloads]error
	for i := range failed {
		workers.Go(func() {
			for s := range queue {
				if failed[i] == nil {
					failed[i] = c.fetchChain(ctx, s)
				}
				if failed[i] != nil {
					cancel()
				}
			}
		})
	}
	for _, s := range slices.Clone(c.sources) {
		queue <- s
	}
	close(queue)
	workers.Wait()
	return cmp.Or(failed[:]...)
}

// fetchChain fetches a source, and then the sources that the field next leads to.
func (c *collection) fetchChain(ctx context.Context, s source) error {
	for {
		record, done := c.folder.record(s.name)
		if !done {
			c.notify(Progress{Source: s.name, Size: -1})
			var err error
			record, _, err = c.fetch(ctx, &s)
			if local, ok := errors.AsType[*localError](err); ok {
				return local
			}
			if err != nil {
				c.mu.Lock()
				c.failures[s.name] = outcome{record, err}
				c.mu.Unlock()
			} else if err := c.folder.commit(record); err != nil {
				return err
			}
		}
		var read int64
		for _, f := range record.Files {
			read += f.Size
		}
		c.mu.Lock()
		c.done++
		more := record.State == Collected && s.next != nil
		if more {
			s = *s.next()
			c.sources = append(c.sources, s)
		}
		c.mu.Unlock()
		c.notify(Progress{Source: record.Name, State: record.State, Read: read, Size: read})
		if !more {
			return nil
		}
	}
}

// notify adds the counts of sources to p and reports p to the caller.
func (c *collection) notify(p Progress) {
	if c.progress == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	p.Done, p.Total = c.done, len(c.sources)
	c.progress(p)
}

// fetch fetches a source into unfinished files. It returns the record, and the body if it is JSON. The
// error names the source.
func (c *collection) fetch(ctx context.Context, s *source) (record Source, body []byte, err error) {
	record = Source{Name: s.name, Operation: s.op.Name, Parameters: s.parameters, State: Collected}
	var t trace.Trace
	ctx = trace.With(ctx, &t)
	var outputs []*output
	defer func() {
		record.Time, record.Attempts, record.Status = now(), t.Attempts, t.StatusCode
		if err == nil {
			record.SignatureVerified = t.Signed.Load() && record.State == Collected
			return
		}
		for _, out := range outputs {
			out.discard()
		}
		record.Files = nil
		if reason := s.absence(err); reason != "" {
			record.State, record.Reason, err = Absent, reason, nil
		} else if _, local := errors.AsType[*localError](err); !local {
			record.State, record.Reason = Failed, strings.TrimPrefix(err.Error(), "identomat: ")
			err = fmt.Errorf("evidence: %s: %w", s.name, err)
		}
	}()
	if s.json != nil {
		if err := s.json(ctx, c.client, c.token); err != nil {
			return record, nil, err
		}
		content, err := c.folder.put(s.path(1, ""), t.Body)
		content.ContentType = "application/json"
		record.Files = []File{content}
		return record, t.Body, err
	}
	var read int64
	for m, err := range s.media(ctx, c.client, c.token) {
		if err != nil {
			return record, nil, err
		}
		out, err := c.folder.create(s.path(len(outputs)+1, m.ContentType))
		if err != nil {
			_ = m.Close()
			return record, nil, err
		}
		outputs = append(outputs, out)
		before := read
		m.Progress(func(n, size int64) {
			read = before + n
			if s.many {
				size = -1
			}
			c.notify(Progress{Source: s.name, Read: read, Size: size})
		})
		if _, err := m.WriteTo(out); err != nil {
			return record, nil, out.failure(err)
		}
		if err := out.finish(); err != nil {
			return record, nil, err
		}
		content := out.hashes.file(out.name)
		content.ContentType = m.ContentType
		record.Files = append(record.Files, content)
	}
	switch {
	case len(record.Files) == 0:
		record.State, record.Reason = Absent, "empty"
	case t.Files > 1: // the SDK has returned only the first
		return record, nil, fmt.Errorf("%w: it holds %d files", identomat.ErrUnexpectedResponse, t.Files)
	}
	return record, nil, nil
}

// report describes the package.
func (c *collection) report() *Report {
	r := &Report{Version: 1, Session: c.folder.session, Outcome: c.result.Outcome}
	for _, s := range c.folder.records {
		r.Sources = append(r.Sources, s)
	}
	for _, failed := range c.failures {
		r.Sources = append(r.Sources, failed.source)
	}
	r.Complete = r.isComplete()
	order := map[string]int{}
	for i, op := range operation.All() {
		order[op.Name] = i
	}
	order[""] = len(order) // the caller's files
	slices.SortFunc(r.Sources, func(a, b Source) int {
		return cmp.Or(cmp.Compare(order[a.Operation], order[b.Operation]), strings.Compare(a.Name, b.Name))
	})
	return r
}

// incomplete returns the error for an incomplete package. For a complete package, it returns nil.
func (c *collection) incomplete(r *Report) error {
	if r.Complete {
		return nil
	}
	e := &incompleteError{causes: []error{ErrIncomplete}}
	if r.Outcome == identomat.OutcomeInProgress {
		e.causes = append(e.causes, errors.New("evidence: the session is in progress"))
	}
	for _, s := range r.Sources {
		if failed, ok := c.failures[s.Name]; ok {
			e.causes = append(e.causes, failed.err)
		}
	}
	return e
}

// incompleteError is an ErrIncomplete with its causes.
type incompleteError struct{ causes []error }

func (e *incompleteError) Error() string {
	var texts []string
	for i, cause := range e.causes[1:] {
		if i == maxShown {
			texts = append(texts, fmt.Sprintf("and %d more", len(e.causes)-1-i))
			break
		}
		texts = append(texts, strings.Replace(strings.TrimPrefix(cause.Error(), "evidence: "), ": identomat: ", ": ", 1))
	}
	return e.causes[0].Error() + ": " + strings.Join(texts, "; ")
}

func (e *incompleteError) Unwrap() []error { return e.causes }
