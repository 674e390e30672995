package identomat

import (
	"context"
	"encoding/json"
	"iter"
	"strings"

	"github.com/identomat-go/identomat/internal/operation"
)

// BlacklistService manages the company's list of people to be refused. (API reference, Blacklist
// management.) No method is known to be billed. [BlacklistService.Add] makes a record, so it is not
// retried after a lost response; see [MaybeProcessed]. The other methods are retried.
type BlacklistService struct{ client *Client }

// BlacklistEntry describes a person to blacklist. It needs a Reason and at least one name, number or
// birthday.
type BlacklistEntry struct {
	private

	// FirstName, LastName and PersonalNumber describe the person. DocumentNumber is the number of an
	// identity document.
	FirstName      string `json:"firstName,omitzero"`
	LastName       string `json:"lastName,omitzero"`
	PersonalNumber string `json:"personalNumber,omitzero"`
	DocumentNumber string `json:"documentNumber,omitzero"`
	// Birthday is a date in ISO 8601, with or without a time, such as "1990-05-14". It is sent unchanged.
	// For a [Person], use its BirthdayTime, because its Birthday is not in ISO 8601.
	Birthday Date   `json:"birthday,omitzero"`
	Reason   string `json:"reason,omitzero"`
	// Extra holds members of the query that this SDK does not know, keyed by wire name.
	Extra map[string]any `json:",inline"`
}

func (e *BlacklistEntry) validate(_ *operation.Operation, p *problems) {
	person := strings.TrimSpace(e.FirstName + e.LastName + e.PersonalNumber + e.DocumentNumber + string(e.Birthday))
	p.require(person != "", "query", "must have a firstName, lastName, personalNumber, documentNumber or birthday")
	p.requireISO("query.birthday", e.Birthday)
	p.requireText("query.reason", e.Reason)
}

// Add puts a person on the blacklist with add-blacklist-record and returns the record's id.
//
// The call is retried only when the service certainly made no record. If MaybeProcessed is true for an
// error, call Add again: [ErrAlreadyExists] means that an equal record exists, which the failed call or
// an earlier one made. Find its id with [BlacklistService.List].
//
// Errors: [ErrAlreadyExists], [ErrWrongParameters].
func (s *BlacklistService) Add(ctx context.Context, entry BlacklistEntry) (string, error) {
	id, err := do[recordID](ctx, s.client, operation.BlacklistAdd, queryParams[*BlacklistEntry]{&entry})
	return string(id), err
}

// Remove removes a record from the blacklist with remove-blacklist-record. The id is from
// [BlacklistService.Add] or a [BlacklistRecord].
//
// The call is retried after a lost response. If the lost attempt removed the record, the retry finds no
// record: the error is [ErrNotFound], and its MaybeProcessed is true.
//
// Errors: [ErrNotFound], [ErrWrongParameters]; [ErrUnexpectedResponse] for any result but true.
func (s *BlacklistService) Remove(ctx context.Context, id string) error {
	return exec(ctx, s.client, operation.BlacklistRemove, recordParams{id})
}

// BlacklistFilter selects records of the blacklist; the zero value selects all.
type BlacklistFilter struct {
	private

	// Extra holds members of the query, keyed by wire name. The API reference says that a query can
	// filter the records, but lists no field to filter by.
	Extra map[string]any `json:",inline"`
}

// BlacklistRecord is a record of the blacklist. A field is zero if its value is absent or null.
type BlacklistRecord struct {
	record

	// ID is for [BlacklistService.Remove].
	ID string `json:"id" wire:"required"`
	// FirstName, LastName, PersonalNumber, DocumentNumber and Reason are those in the [BlacklistEntry].
	FirstName      string `json:"firstName"`
	LastName       string `json:"lastName"`
	PersonalNumber string `json:"personalNumber"`
	DocumentNumber string `json:"documentNumber"`
	// Birthday is in ISO 8601 with a time.
	Birthday Date   `json:"birthday"`
	Reason   string `json:"reason"`
	// Notes has only been seen as null.
	Notes string `json:"notes"`
}

// Extra returns, keyed by path, the record's members that this SDK does not know or whose type is wrong.
func (r *BlacklistRecord) Extra() map[string]json.RawMessage { return codec.Extra(r.raw, r) }

// UnmarshalJSON decodes a record, such as one stored with Raw.
func (r *BlacklistRecord) UnmarshalJSON(data []byte) error { return codec.Unmarshal(data, r) }

// List lists the company's blacklist with list-blacklist-records, 100 records at a time. An error ends
// the iteration. If the service returns the same page for every offset although there are more records,
// the error is [ErrUnexpectedResponse]. Errors: [ErrWrongParameters].
func (s *BlacklistService) List(ctx context.Context, filter BlacklistFilter) iter.Seq2[BlacklistRecord, error] {
	key := func(r BlacklistRecord) string { return r.ID }
	return pages(operation.BlacklistList, key, func(offset int) (*Page[BlacklistRecord], error) {
		return s.ListPage(ctx, filter, offset, pageSize)
	})
}

// ListPage returns one page of [BlacklistService.List] with the total. The parameter offset is the number
// of records to skip; limit is the maximum number to return. If limit is 0, the service's own limit
// applies, which is 100 in the API reference's example. Errors: as for List.
func (s *BlacklistService) ListPage(ctx context.Context, filter BlacklistFilter, offset, limit int) (*Page[BlacklistRecord], error) {
	return do[*Page[BlacklistRecord]](ctx, s.client, operation.BlacklistList, queryParams[*listBlacklist]{&listBlacklist{offset, limit, filter}})
}

// listBlacklist is the object query, in which the API reference puts offset and limit.
type listBlacklist struct {
	Offset int `json:"offset"`
	Limit  int `json:"limit,omitzero"`
	BlacklistFilter
}

func (l *listBlacklist) validate(_ *operation.Operation, p *problems) {
	p.require(l.Offset >= 0, "query.offset", "must not be negative")
	p.require(l.Limit >= 0, "query.limit", "must not be negative")
}
