package identomat

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"iter"
	"strings"
	"time"

	"github.com/identomat-go/identomat/internal/operation"
)

// BlacklistService keeps the company's list of people who must not pass. (API reference,
// Blacklist management.)
type BlacklistService struct{ client *Client }

// BlacklistEntry describes a person to be blacklisted: a reason and at least one of the
// other fields but Extra. fmt, slog and
// encoding/json show a mask.
type BlacklistEntry struct {
	private

	// FirstName and LastName are the person's.
	FirstName, LastName string
	// PersonalNumber is the number of the person.
	PersonalNumber string
	// DocumentNumber is the number of an identity card or a passport.
	DocumentNumber string
	// Birthday is a date in ISO 8601, with or without a time: "1990-05-14". It is sent as
	// it stands. The Birthday of a [Person] is not in ISO 8601, its BirthdayTime is.
	Birthday Date
	// Reason is why, in words, and required.
	Reason string
	// Extra holds members of the query that this SDK does not know, by their wire names.
	Extra map[string]any
}

func (e *BlacklistEntry) validate(op string) error {
	var p problems
	if strings.TrimSpace(e.FirstName+e.LastName+e.PersonalNumber+e.DocumentNumber+string(e.Birthday)) == "" {
		p.add(paramQuery, "must have a firstName, lastName, personalNumber, documentNumber or birthday")
	}
	if e.Birthday != "" && !isISO(e.Birthday) {
		p.add("query.birthday", "must be a date in ISO 8601, such as 1990-05-14")
	}
	p.checkText("query.reason", e.Reason)
	p.checkExtra(e.Extra, "firstName", "lastName", "personalNumber", "documentNumber", "birthday", "reason")
	return p.err(op)
}

// isISO reports whether d is a date that exists, in a notation of ISO 8601.
func isISO(d Date) bool {
	_, err := d.Time()
	_, american := time.Parse("1/2/2006", string(d))
	return err == nil && american != nil
}

// Add puts a person on the blacklist with add-blacklist-record and returns the id of the
// record. (API reference, Blacklist management, add-blacklist-record.)
//
// It is sent again only when it is certain that no record was made. After an error with
// MaybeProcessed, [ErrAlreadyExists] from another Add tells that the lost one succeeded.
//
// Errors: [ValidationError] before anything is sent; [ErrAlreadyExists],
// [ErrWrongParameters], [ErrInvalidKey], [ErrUnexpectedResponse].
func (s *BlacklistService) Add(ctx context.Context, entry BlacklistEntry) (string, error) {
	op := operation.BlacklistAdd
	if s.client.validate {
		if err := entry.validate(op.Name); err != nil {
			return "", err
		}
	}
	query := members{}.
		andText("firstName", entry.FirstName).
		andText("lastName", entry.LastName).
		andText("personalNumber", entry.PersonalNumber).
		andText("documentNumber", entry.DocumentNumber).
		andText("birthday", string(entry.Birthday)).
		andText("reason", entry.Reason).
		andExtra(entry.Extra)
	var id wrapped[recordID]
	err := s.client.callAPI(ctx, op, s.client.params().and(paramQuery, jsonObject(query)), &id)
	return string(id.value), err
}

// Remove takes a record off the blacklist with remove-blacklist-record, by the id that
// [BlacklistService.Add] returned or a [BlacklistRecord] has. (API reference, Blacklist
// management, remove-blacklist-record.)
//
// It is sent again after a lost reply. If the lost attempt had removed the record, the
// repeat finds none: [ErrNotFound] from an [APIError] with MaybeProcessed.
//
// Errors: [ValidationError] before anything is sent; [ErrNotFound], [ErrWrongParameters],
// [ErrInvalidKey], [ErrUnexpectedResponse], also for any reply but true.
func (s *BlacklistService) Remove(ctx context.Context, id string) error {
	op := operation.BlacklistRemove
	if err := s.client.require(op, "id", id); err != nil {
		return err
	}
	return s.client.callAPI(ctx, op, s.client.params().and("id", jsonString(id)), new(wrapped[isTrue]))
}

// isTrue refuses everything but true.
type isTrue struct{}

func (*isTrue) UnmarshalJSON(data []byte) error {
	if string(data) != "true" {
		return errors.New("identomat: not true")
	}
	return nil
}

// BlacklistFilter chooses records of the blacklist; the zero value chooses all. fmt, slog and
// encoding/json show a mask.
type BlacklistFilter struct {
	private

	// Extra holds members of the query by their wire names. The reference says that a
	// query can filter the records, and lists no field to filter by.
	Extra map[string]any
}

// BlacklistRecord is a record of the blacklist. fmt, slog and
// encoding/json show a mask;
// what is absent or null is the zero value.
type BlacklistRecord struct {
	private

	// ID is for [BlacklistService.Remove].
	ID string `json:"id"`
	// FirstName, LastName, PersonalNumber, DocumentNumber and Reason are those of the
	// [BlacklistEntry].
	FirstName      string `json:"firstName"`
	LastName       string `json:"lastName"`
	PersonalNumber string `json:"personalNumber"`
	DocumentNumber string `json:"documentNumber"`
	// Birthday is in ISO 8601 with a time.
	Birthday Date   `json:"birthday"`
	Reason   string `json:"reason"`
	// Notes has only been seen as null.
	Notes string `json:"notes"`

	raw json.RawMessage
}

// Raw is the record as it came. The caller must not write to it.
func (r *BlacklistRecord) Raw() json.RawMessage { return r.raw }

// UnmarshalJSON reads a record. It fails without an id.
func (r *BlacklistRecord) UnmarshalJSON(data []byte) error {
	type fields BlacklistRecord // without UnmarshalJSON
	var record fields
	if err := decodeObject(data, &record); err != nil {
		return err
	}
	if record.ID == "" {
		return errors.New("identomat: a blacklist record without an id")
	}
	record.raw = bytes.Clone(data)
	*r = BlacklistRecord(record)
	return nil
}

// List is the company's blacklist from list-blacklist-records, 100 records at a time.
// (API reference, Blacklist management, list-blacklist-records.)
//
// An error is the last thing that the list yields. A service that answers every offset
// with the same page, though there are more records, is [ErrUnexpectedResponse].
//
// Errors: [ValidationError] before anything is sent; [ErrWrongParameters],
// [ErrInvalidKey], [ErrUnexpectedResponse].
func (s *BlacklistService) List(ctx context.Context, filter BlacklistFilter) iter.Seq2[BlacklistRecord, error] {
	key := func(r BlacklistRecord) string { return r.ID }
	return pages(operation.BlacklistList, key, func(offset int) ([]BlacklistRecord, int, error) {
		page, err := s.ListPage(ctx, filter, offset, pageSize)
		if err != nil {
			return nil, 0, err
		}
		return page.Data, page.Total, nil
	})
}

// ListPage is one page of [BlacklistService.List], with the total: at most limit records
// after the first offset ones. A limit of 0 leaves it to the service, which takes 100 in
// the reference's example. Errors: as for List.
func (s *BlacklistService) ListPage(ctx context.Context, filter BlacklistFilter, offset, limit int) (*Page[BlacklistRecord], error) {
	op := operation.BlacklistList
	if s.client.validate {
		var p problems
		p.checkPage("query.offset", offset, "query.limit", limit)
		p.checkExtra(filter.Extra, "offset", "limit")
		if err := p.err(op.Name); err != nil {
			return nil, err
		}
	}
	// The reference lists offset and limit inside the query; the reply has them at its top.
	query := members{}.andPage("offset", offset, limit).andExtra(filter.Extra)
	params := s.client.params().and(paramQuery, jsonObject(query))
	var page wrapped[Page[BlacklistRecord]]
	if err := s.client.callAPI(ctx, op, params, &page); err != nil {
		return nil, err
	}
	return &page.value, nil
}
