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

// Journal is a file with a line of JSON for every session that was read: your name for it
// and its outcome, and neither its token nor anything about a person.
type Journal struct {
	file *os.File
	read map[string]identomat.Outcome
}

type entry struct {
	ID      string            `json:"id"`
	Outcome identomat.Outcome `json:"outcome"`
}

// OpenJournal opens a journal to go on with, or makes an empty one that only its owner can
// read. A line that a crash has cut short is cut off: its session is read again.
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
	whole := bytes.LastIndexByte(data, '\n') + 1
	for line := range bytes.Lines(data[:whole]) {
		var e entry
		if err := json.Unmarshal(line, &e); err != nil || e.ID == "" {
			return errors.New("a line is not one of a journal")
		}
		j.read[e.ID] = e.Outcome
	}
	if err := j.file.Truncate(int64(whole)); err != nil {
		return err
	}
	_, err = j.file.Seek(int64(whole), io.SeekStart)
	return err
}

// Has reports whether a session was read.
func (j *Journal) Has(id string) bool {
	_, found := j.read[id]
	return found
}

// Outcomes counts the sessions of the journal.
func (j *Journal) Outcomes() map[identomat.Outcome]int {
	counts := map[identomat.Outcome]int{}
	for _, outcome := range j.read {
		counts[outcome]++
	}
	return counts
}

// Add writes a session down in one go. It does not wait for the disk: what a crash of the
// machine loses is read again.
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
