package identomat

import (
	"fmt"
	"iter"
	"strconv"
	"strings"

	"github.com/identomat-go/identomat/internal/wire"
)

// Problem is one thing that is wrong with a request. Neither field repeats a value
// of the request, so that a problem can be logged.
type Problem struct {
	// Path names the field in the wire's spelling: steps[2].questions[0].options.
	Path string
	// Message says what the field must be.
	Message string
}

// ValidationError reports every problem of a request that was refused before
// anything was sent. [WithoutValidation] turns the checks off.
type ValidationError struct {
	// Operation is the endpoint that was not called, such as begin/.
	Operation string
	// Problems holds at least one entry, in the order of the request's fields.
	Problems []Problem
}

// Error lists every problem with its path, and no value of the request.
func (e *ValidationError) Error() string {
	var b strings.Builder
	b.WriteString(qualified(e.Operation))
	b.WriteString(": invalid request: ")
	for i, p := range e.Problems {
		if i > 0 {
			b.WriteString("; ")
		}
		fmt.Fprintf(&b, "%s: %s", p.Path, p.Message)
	}
	return b.String()
}

// problems collects what is wrong with one request.
type problems []Problem

func (p *problems) add(path, message string) {
	*p = append(*p, Problem{Path: path, Message: message})
}

// require adds a problem unless a rule is met.
func (p *problems) require(ok bool, at fieldPath, message string) {
	if !ok {
		p.add(string(at), message)
	}
}

// requireObject returns a value as an object, and adds a problem if it is none, unless
// addUnencodable has added one.
func (p *problems) requireObject(at fieldPath, value string) (string, bool) {
	object, ok := asObject(value)
	p.require(ok || value == wire.Unencodable || value == wire.Nil, at, "must be an object")
	return object, ok
}

// addUnencodable adds a problem for every part of a JSON text that stands for a value without
// a JSON form.
func (p *problems) addUnencodable(at fieldPath, text string) {
	if wire.IsSendable(text) {
		return
	}
	p.require(text != wire.Unencodable, at, "cannot be encoded as JSON")
	p.require(text != wire.Nil, at, "must not be nil")
	for quoted, value := range wire.Members(text) {
		p.addUnencodable(at.member(wire.Unquote(quoted)), value)
	}
	for at, element := range at.items(text) {
		p.addUnencodable(at, element)
	}
}

// err is the collected problems as an error of the operation op, or nil.
func (p problems) err(op string) error {
	if len(p) == 0 {
		return nil
	}
	return &ValidationError{Operation: op, Problems: p}
}

// fieldPath is the path of a value in a request, such as steps[2].questions[0].options. A walk over
// a request writes all its paths into one buffer: a path is valid until the next one is made
// from the same parent. So checking a sound request allocates nothing for paths.
type fieldPath []byte

func newPath(name string) fieldPath { return append(make(fieldPath, 0, 128), name...) }

func (at fieldPath) member(name string) fieldPath {
	if len(at) > 0 {
		at = append(at, '.')
	}
	return append(at, name...)
}

func (at fieldPath) item(i int) fieldPath {
	return append(strconv.AppendInt(append(at, '['), int64(i), 10), ']')
}

// items yields the elements of a JSON array with their paths.
func (at fieldPath) items(array string) iter.Seq2[fieldPath, string] {
	return func(yield func(fieldPath, string) bool) {
		i := 0
		for element := range wire.Elements(array) {
			if !yield(at.item(i), element) {
				return
			}
			i++
		}
	}
}
