package identomat

import (
	"fmt"
	"strings"
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

// err is the collected problems as an error of the operation op, or nil.
func (p problems) err(op string) error {
	if len(p) == 0 {
		return nil
	}
	return &ValidationError{Operation: op, Problems: p}
}
