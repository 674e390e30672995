package identomat

import (
	"fmt"
	"iter"
	"strconv"
	"strings"

	"github.com/identomat-go/identomat/internal/operation"
	"github.com/identomat-go/identomat/internal/wire"
)

// Problem is one thing that is wrong with a request. It contains no value of the request, so
// it can be logged.
type Problem struct {
	// Path names the field by its wire names: steps[2].questions[0].options.
	Path string
	// Message says what the field must be.
	Message string
}

// ValidationError reports every problem of a request that was refused before anything was
// sent. [WithoutValidation] turns off the checks that the API documentation is the reason for.
type ValidationError struct {
	// Operation is the endpoint that was not called, such as begin/.
	Operation string
	// Problems is not empty. It follows the order of the request's fields.
	Problems []Problem
}

// Error lists every problem with its path. It contains no value of the request.
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

// validator is implemented by parameters that have rules. The rules are those of the API
// documentation; [WithoutValidation] turns them off.
type validator interface {
	validate(op *operation.Operation, p *problems)
}

// problems collects the problems of one request.
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
// the encoder reports the value.
func (p *problems) requireObject(at fieldPath, value string) (string, bool) {
	object, ok := asObject(value)
	p.require(ok || value == wire.Unencodable || value == wire.Nil, at, "must be an object")
	return object, ok
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
	if strings.TrimSpace(text) == "" {
		p.add(path, "is empty")
	}
}

// fieldPath is the path of a value in a request, such as steps[2].questions[0].options. All paths
// of a walk share one buffer, so a path is valid until the next one is made from the same
// parent, and checking a valid request allocates nothing for paths.
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
