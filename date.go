package identomat

import (
	"errors"
	"time"
)

// Date is a date or a time in the service's notation: "1/8/1980" with the month first, or a form
// of ISO 8601: with a Z, without a time zone, or with milliseconds. It may be empty.
type Date string

// layouts are the notations that were seen. Fractions of a second need no layout.
var layouts = []string{
	time.RFC3339,
	"2006-01-02T15:04:05",
	"2006-01-02",
	"1/2/2006",
}

// Time parses the date. A time without a zone is in UTC, and a date alone is midnight in UTC.
// The error does not contain the date.
func (d Date) Time() (time.Time, error) {
	if d == "" {
		return time.Time{}, errors.New("identomat: the date is empty")
	}
	for _, layout := range layouts {
		if t, err := time.Parse(layout, string(d)); err == nil {
			return t, nil
		}
	}
	return time.Time{}, errors.New("identomat: the date has an unknown notation")
}
