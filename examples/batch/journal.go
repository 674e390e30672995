package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/identomat-go/identomat"
)

// Journal is a file with one line of JSON for every result that was read: your ID for the session,
// and the outcome. The journal holds no token and no personal data.
type Journal struct {
	file *os.File
	read map[string]identomat.Outcome
}

type entry struct {
	ID      string            `json:"id"`
	Outcome identomat.Outcome `json:"outcome"`
}

// OpenJournal opens a journal to continue it, or creates an empty one that only its owner can read.
// It drops a last line truncated by a crash, so that the next run reads that session again.
func OpenJournal(name string) (*Journal, error) {
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	j := &Journal{file: file, read: map[string]identomat.Outcome{}}
	if err := j.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("journal %s: %w", name, err), file.Close())
	}
	return j, nil
}

func (j *Journal) load() error {
	data, err := io.ReadAll(j.file)
	if err != nil {
		return err
	}
	complete := bytes.LastIndexByte(data, '\n') + 1
	for line := range bytes.Lines(data[:complete]) {
		var e entry
		if err := json.Unmarshal(line, &e); err != nil || e.ID == "" {
			return errors.New("malformed line")
		}
		j.read[e.ID] = e.Outcome
	}
	if err := j.file.Truncate(int64(complete)); err != nil {
		return err
	}
	_, err = j.file.Seek(int64(complete), io.SeekStart)
	return err
}

// Has reports whether a session is in the journal.
func (j *Journal) Has(id string) bool {
	_, found := j.read[id]
	return found
}

// Outcomes counts the sessions in the journal by outcome.
func (j *Journal) Outcomes() map[identomat.Outcome]int {
	counts := map[identomat.Outcome]int{}
	for _, outcome := range j.read {
		counts[outcome]++
	}
	return counts
}

// Add appends a session with a single write. It does not sync the file: if the machine crashes, the
// next run reads the lost sessions again.
func (j *Journal) Add(id string, outcome identomat.Outcome) error {
	line, err := json.Marshal(entry{id, outcome})
	if err != nil {
		return err
	}
	if _, err := j.file.Write(append(line, '\n')); err != nil {
		return err
	}
	j.read[id] = outcome
	return nil
}

// Close closes the file.
func (j *Journal) Close() error { return j.file.Close() }
