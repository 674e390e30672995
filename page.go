package identomat

import (
	"encoding/json"
	"hash/maphash"
	"iter"
	"net/http"

	"github.com/identomat-go/identomat/internal/operation"
)

// pageSize is how many items a list requests at a time. It is the limit in the API reference's example
// of a search, and the service's default for the blacklist.
const pageSize = 100

// Page is a part of a list, and the length of the whole list.
type Page[T any] struct {
	record

	// Data holds the items of this part.
	Data []T `json:"data" wire:"required"`
	// Offset and Limit are the values that the service applied, or 0 if the response lacks them.
	Offset int `json:"offset" wire:"alias=start"`
	Limit  int `json:"limit"`
	// Total counts the items of the whole list.
	Total int `json:"total" wire:"required"`
}

// Extra returns, keyed by path, the response's members that this SDK does not know or whose type is
// wrong.
func (p *Page[T]) Extra() map[string]json.RawMessage { return codec.Extra(p.raw, p) }

// pages iterates over a list and fetches its parts as needed. It yields at most one error, at the end. The
// function key returns what identifies an item.
//
// A list ends with an empty page, because a page may be shorter than requested without being the last
// one. If the service reports a total, the list ends at the total without another call.
//
// If all items of a page were seen before, the service has ignored the offset. This is an error if the
// total says that there are more items, or if there is no total (Total < 0) and the page is full: a
// silently truncated list may hide a hit.
func pages[T any, K comparable](op *operation.Operation, key func(T) K, fetch func(offset int) (*Page[T], error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		// Store hashes instead of keys, because a key would keep a part of its response in memory.
		seen, seed := make(map[uint64]struct{}, pageSize), maphash.MakeSeed()
		for offset := 0; ; {
			page, err := fetch(offset)
			if err == nil && len(page.Data) == 0 && page.Total > offset {
				err = brokenList(op, "a page that contradicts its total")
			}
			if err != nil {
				yield(none, err)
				return
			}
			items, total, known := page.Data, page.Total, len(seen)
			for _, item := range items {
				seen[maphash.Comparable(seed, key(item))] = struct{}{}
			}
			if len(seen) == known {
				if len(items) > 0 && (total > offset || total < 0 && len(items) >= pageSize) {
					yield(none, brokenList(op, "the items of an earlier page again"))
				}
				return
			}
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
			if offset += len(items); total >= 0 && offset >= total {
				return
			}
		}
	}
}

func brokenList(op *operation.Operation, sample string) error {
	return &APIError{
		Operation: op.Name, StatusCode: http.StatusOK, Attempts: 1, MaybeProcessed: true,
		kind: ErrUnexpectedResponse, Sample: sample,
	}
}
