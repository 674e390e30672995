package identomat

import (
	"bytes"
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"slices"
	"strings"

	"github.com/identomat-go/identomat/internal/operation"
)

// What the lists have in common, and what their parameters do.

// pageSize is how many items a list asks for at a time. It is the limit in the
// reference's example of a search, and what the blacklist answers with by itself.
const pageSize = 100

// Page is a part of a list that tells how long the whole is. fmt, slog and
// encoding/json show a mask.
type Page[T any] struct {
	private

	// Data are the items of this part.
	Data []T
	// Offset and Limit are what the service says it went by; a missing one is 0.
	Offset, Limit int
	// Total counts the items of the whole list.
	Total int

	raw json.RawMessage
}

// Raw is the page as it came. The caller must not write to it.
func (p *Page[T]) Raw() json.RawMessage { return p.raw }

// UnmarshalJSON reads a page. It fails without items, which may be none, or a total.
func (p *Page[T]) UnmarshalJSON(data []byte) error {
	var page struct {
		Offset int             `json:"offset"`
		Start  int             `json:"start"` // the offset's name in the list of monitored queries
		Limit  int             `json:"limit"`
		Total  *int            `json:"total"`
		Data   json.RawMessage `json:"data"`
	}
	if err := decodeObject(data, &page); err != nil {
		return err
	}
	var list items[T]
	if page.Total == nil || len(page.Data) == 0 {
		return errors.New("identomat: a page without data or total")
	}
	if err := json.Unmarshal(page.Data, &list); err != nil {
		return err
	}
	*p = Page[T]{
		Data: list, Offset: page.Offset + page.Start, Limit: page.Limit, Total: *page.Total,
		raw: bytes.Clone(data),
	}
	return nil
}

// items is a list of a reply. What is no array is refused: an empty list must never
// stand for a reply that was not understood.
type items[T any] []T

func (l *items[T]) UnmarshalJSON(data []byte) error {
	var list []json.RawMessage
	if err := json.Unmarshal(data, &list); err != nil {
		return err
	}
	if list == nil {
		return errNotArray
	}
	all := make([]T, len(list))
	for i := range list {
		if err := json.Unmarshal(list[i], &all[i]); err != nil {
			return err
		}
	}
	*l = all
	return nil
}

// decodeObject is decodeTolerant for a value that must be an object.
func decodeObject(data []byte, v any) error {
	if data = trimJSON(data); len(data) == 0 || data[0] != '{' {
		return errNotObject
	}
	return decodeTolerant(data, v)
}

// looseTexts reads a list of texts where the service may write one without the list. What is
// no text keeps its JSON spelling, so that nothing is lost.
type looseTexts []string

func (t *looseTexts) UnmarshalJSON(data []byte) error {
	var list []json.RawMessage // its own memory: decoding writes into what is there
	if data[0] != '[' {
		list = append(list, data)
	} else if err := json.Unmarshal(data, &list); err != nil {
		return err
	}
	*t = nil
	for _, item := range list {
		var text string
		switch err := json.Unmarshal(item, &text); {
		case string(item) == "null":
			continue
		case err != nil:
			text = string(item)
		}
		*t = append(*t, text)
	}
	return nil
}

// recordID is the id of a new record: one word that is no error code.
type recordID string

func (id *recordID) UnmarshalJSON(data []byte) error {
	text, ok := plainString(data)
	if !ok || text == "" || len(text) > 256 || strings.ContainsFunc(text, func(c rune) bool {
		return c > 127 || !isWordByte(byte(c)) && c != '-' && c != '.'
	}) || codes[foldCode(text)] != nil || isName(text) && text == strings.ToUpper(text) {
		return errors.New("identomat: not an id")
	}
	*id = recordID(text)
	return nil
}

// pages is a list whose parts are fetched as they are needed. An error is yielded once,
// and ends the list. key tells items apart.
//
// The list ends with an empty page, because a page may be shorter than was asked for
// without being the last. Where the service tells a total, it ends there without asking
// again. A page of items that were all seen before means that the service ignores the
// offset. Then the list is whole if it is as long as the total says, or, without a total
// (total < 0), if there are fewer items than were asked for. Otherwise the rest is out
// of reach: that is an error, because a list cut short without a word may hide a hit.
func pages[T any, K comparable](op *operation.Operation, key func(T) K, fetch func(offset int) (page []T, total int, err error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		seen := make(map[K]bool, pageSize)
		for offset := 0; ; {
			page, total, err := fetch(offset)
			if err != nil {
				yield(none, err)
				return
			}
			if len(page) == 0 && total > offset {
				yield(none, &APIError{
					Operation: op.Name, StatusCode: http.StatusOK, Attempts: 1, MaybeProcessed: true, kind: ErrUnexpectedResponse,
					Sample: "a page that does not fit its total",
				})
				return
			}
			known := len(seen)
			for _, item := range page {
				seen[key(item)] = true
			}
			if len(seen) == known {
				if len(page) > 0 && (total > offset || total < 0 && len(page) >= pageSize) {
					yield(none, &APIError{
						Operation: op.Name, StatusCode: http.StatusOK, Attempts: 1, MaybeProcessed: true, kind: ErrUnexpectedResponse,
						Sample: "the items of an earlier page again",
					})
				}
				return
			}
			for _, item := range page {
				if !yield(item, nil) {
					return
				}
			}
			if offset += len(page); total >= 0 && offset >= total {
				return
			}
		}
	}
}

// andText adds a text that is not empty.
func (m members) andText(name, value string) members {
	if value == "" {
		return m
	}
	return m.and(name, jsonString(value))
}

// andExtra adds the parameters that the SDK does not know.
func (m members) andExtra(extra map[string]any) members {
	for _, name := range sortedNames(extra) {
		m = m.and(name, encodeValue(extra[name]))
	}
	return m
}

// andPage adds the part of a list to ask for. A limit of 0 leaves it to the service.
func (m members) andPage(offsetName string, offset, limit int) members {
	m = m.and(offsetName, jsonInt(offset))
	if limit != 0 {
		m = m.and("limit", jsonInt(limit))
	}
	return m
}

// checkPage adds a problem for a negative number. The documents bound neither from above.
func (p *problems) checkPage(offsetPath string, offset int, limitPath string, limit int) {
	if offset < 0 {
		p.add(offsetPath, "must not be negative")
	}
	if limit < 0 {
		p.add(limitPath, "must not be negative")
	}
}

// checkExtra adds a problem for every extra parameter that has a field of its own or no
// JSON form.
func (p *problems) checkExtra(extra map[string]any, own ...string) {
	for _, name := range sortedNames(extra) {
		switch {
		case name == "":
			p.add("Extra", "has a parameter without a name")
		case slices.Contains(own, name):
			p.add("Extra."+name, "has a field of its own")
		default:
			p.addUnencodable(newPath("Extra."+name), encodeValue(extra[name]))
		}
	}
}

// checkToken adds a problem for a session that is not named.
func (p *problems) checkToken(path string, token Token) {
	if token == "" {
		p.add(path, "is empty")
	}
}

// checkText adds a problem for a required text that is blank.
func (p *problems) checkText(path, text string) {
	if strings.TrimSpace(text) == "" {
		p.add(path, "is empty")
	}
}
