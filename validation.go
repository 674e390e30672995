package identomat

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/identomat-go/identomat/internal/operation"
)

// Problem is one thing that is wrong with a request. It contains no value from the request.
type Problem struct {
	// Path is the path of the field on the wire: steps[2].questions[0].options.
	Path string
	// Message says what the field must be.
	Message string
}

// ValidationError reports every problem in a request that was refused before anything was sent.
// [WithoutValidation] turns off the checks that follow from the API documentation.
type ValidationError struct {
	// Operation is the endpoint that was not called, such as begin/.
	Operation string
	// Problems is not empty. It follows the order of the request's fields.
	Problems []Problem
}

// Error lists every problem, and its path. It contains no value from the request.
func (e *ValidationError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "identomat: %s: invalid request: ", e.Operation)
	for i, p := range e.Problems {
		if i > 0 {
			b.WriteString("; ")
		}
		fmt.Fprintf(&b, "%s: %s", p.Path, p.Message)
	}
	return b.String()
}

// validator is implemented by parameters with rules, which [WithoutValidation] turns off.
type validator interface {
	validate(op *operation.Operation, p *problems)
}

// encodedValidator is implemented by parameters whose rules apply to their encoded JSON text.
type encodedValidator interface {
	validateEncoded(p *problems)
}

// problems collects the problems in one request.
type problems []Problem

func (p *problems) add(path, message string) {
	*p = append(*p, Problem{Path: path, Message: message})
}

// require adds a problem unless ok is true.
func (p *problems) require(ok bool, path, message string) {
	if !ok {
		p.add(path, message)
	}
}

// in adds the problems of the value at path. Their own paths are relative to that value.
func (p *problems) in(path string, inner problems) {
	for _, problem := range inner {
		p.add(strings.TrimSuffix(path+"."+problem.Path, "."), problem.Message)
	}
}

// inElement adds the problems of element i of a list. Their own paths are relative to the element.
func (p *problems) inElement(list string, i int, inner problems) {
	if len(inner) > 0 {
		p.in(element(list, i), inner)
	}
}

// err returns the problems as an error, or nil if there are none.
func (p problems) err(op *operation.Operation) error {
	if len(p) == 0 {
		return nil
	}
	return &ValidationError{Operation: op.Name, Problems: p}
}

// requireText adds a problem if a required text is blank.
func (p *problems) requireText(path, text string) {
	p.require(strings.TrimSpace(text) != "", path, "must not be empty")
}

// requireISO adds a problem unless a date is empty or in a format of ISO 8601.
func (p *problems) requireISO(path string, d Date) {
	p.require(d == "" || isISO(string(d)), path, "must be a date in ISO 8601, such as 1990-05-14")
}

// isISO reports whether a date, with or without a time, is in the extended or the basic form of ISO
// 8601. A space may stand for the T, as in [Date].
func isISO(text string) bool {
	date, clock, hasClock := strings.Cut(strings.Replace(text, " ", "T", 1), "T")
	if !isLayout(date, "2006-01-02", "20060102", "2006-002", "2006002", "2006-01", "2006") && !isWeekDate(date) {
		return false
	}
	for _, zone := range [...]string{"", "Z07:00", "Z0700", "Z07"} {
		if !hasClock || isLayout(clock, "15:04:05"+zone, "15:04"+zone, "15"+zone, "150405"+zone, "1504"+zone) {
			return true
		}
	}
	return false
}

func isLayout(text string, layouts ...string) bool {
	return slices.ContainsFunc(layouts, func(layout string) bool {
		_, err := time.Parse(layout, text)
		return err == nil
	})
}

// isWeekDate reports whether text is a date such as 1990-W20-1, which package time does not
// support.
func isWeekDate(text string) bool {
	var year, week, day int
	compact := strings.ReplaceAll(text, "-", "")
	n, _ := fmt.Sscanf(compact, "%4dW%2d%1d", &year, &week, &day)
	return n == len(compact)-5 && week >= 1 && week <= 53 && (n == 2 || day >= 1 && day <= 7)
}
