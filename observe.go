package identomat

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/identomat-go/identomat/internal/engine"
	"github.com/identomat-go/identomat/internal/operation"
	"github.com/identomat-go/identomat/internal/option"
)

// Event describes one attempt of a call. It holds no body and no parameter.
type Event struct {
	// Context is the caller's context, so that an observer can find the caller's span.
	Context context.Context
	// Operation is the endpoint, such as result/. Host is the host of the request's URL, with the port if
	// the URL has one. Attempt counts from 1.
	Operation string
	Host      string
	Attempt   int
	// Start is when the attempt began, after any wait for the [RateLimiter]. For streamed media,
	// Duration extends to the end of the stream.
	Start    time.Time
	Duration time.Duration
	// StatusCode is the HTTP status, or 0 without a response.
	StatusCode int
	// BytesSent is the length of the request body, even if not all of it was sent. BytesReceived counts
	// the bytes that were read from the response body.
	BytesSent     int64
	BytesReceived int64
	// Err is nil after a success, or the error that the call would return if this were its last attempt.
	Err error
	// WillRetry says that another attempt follows after RetryIn.
	RetryIn   time.Duration
	WillRetry bool
}

// Format writes the operation and its outcome for every verb, but not the context, which may be secret.
func (e Event) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "%s attempt %d: status %d in %s", e.Operation, e.Attempt, e.StatusCode, e.Duration)
	if e.Err != nil {
		fmt.Fprintf(f, ": %v", e.Err)
	}
}

// LogValue returns a group of the fields without the context.
func (e Event) LogValue() slog.Value {
	return slog.GroupValue(e.attrs()...)
}

func (e Event) attrs() []slog.Attr {
	attrs := []slog.Attr{
		slog.String("operation", e.Operation), slog.Int("attempt", e.Attempt), slog.Int("status", e.StatusCode),
		slog.Duration("duration", e.Duration), slog.Int64("sent", e.BytesSent), slog.Int64("received", e.BytesReceived),
	}
	if e.Err != nil {
		attrs = append(attrs, slog.String("error", e.Err.Error()))
	}
	if e.WillRetry {
		attrs = append(attrs, slog.Duration("retry_in", e.RetryIn))
	}
	return attrs
}

// WithObserver calls observe after every attempt, in the goroutine of the call. The option may be given
// several times; all functions are called. They must be safe for concurrent use.
func WithObserver(observe func(Event)) Option {
	return checked(observe != nil, "WithObserver: the function is nil", func(s *option.Settings) {
		s.Observers = append(s.Observers, func(e engine.Event) { observe(Event(e)) })
	})
}

// WithLogger logs every attempt: successes at the debug level, failures as warnings. A response that
// something does not exist is logged at the info level, because programs ask for media that a session may
// lack: [ErrNotFound], [ErrFacePhotoNotFound], and [ErrWrongParameters] from get-question-file, which is
// also the response for a missing file. [ErrSessionNotFound] is a warning.
//
// A record has the attributes operation, attempt, status, duration, sent and received (both in bytes).
// After a failure it also has error, which is a text, and before a retry also retry_in. A JSON handler
// writes durations in nanoseconds.
func WithLogger(l *slog.Logger) Option {
	return checked(l != nil, "WithLogger: the logger is nil", func(s *option.Settings) {
		service := s.Service
		s.Observers = append(s.Observers, func(e engine.Event) {
			level, message := slog.LevelDebug, service+" call"
			switch {
			case e.Err != nil && isMissing(e):
				level, message = slog.LevelInfo, service+" call found nothing"
			case e.Err != nil:
				level, message = slog.LevelWarn, service+" call failed"
			}
			if l.Enabled(e.Context, level) {
				l.LogAttrs(e.Context, level, message, Event(e).attrs()...)
			}
		})
	})
}

// isMissing reports whether the response says that something other than the session does not exist.
func isMissing(e engine.Event) bool {
	return errors.Is(e.Err, ErrNotFound) || e.Operation == operation.QuestionFile.Name && errors.Is(e.Err, ErrWrongParameters)
}
