package identomat

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"

	"github.com/identomat-go/identomat/internal/operation"
)

// ActivityType is what happened in a session. Most types are not documented.
type ActivityType string

// ActivityPageLoaded is the only type that the reference shows: the widget was opened.
const ActivityPageLoaded ActivityType = "PAGE_LOADED"

// Activity is something that happened in a session. fmt, slog and
// encoding/json show a mask.
type Activity struct {
	private

	// ID is the id of the activity.
	ID string `json:"id"`
	// Type is what happened, such as [ActivityPageLoaded].
	Type ActivityType `json:"type"`
	// Time is in ISO 8601 with milliseconds, in UTC.
	Time Date `json:"time"`
	// Data is JSON whose form depends on the type: [] or an object.
	Data json.RawMessage `json:"data"`

	raw json.RawMessage
}

// Raw is the activity as it came. The caller must not write to it.
func (a *Activity) Raw() json.RawMessage { return a.raw }

// UnmarshalJSON reads an activity. It fails without a type.
func (a *Activity) UnmarshalJSON(data []byte) error {
	type fields Activity // without UnmarshalJSON
	var activity fields
	if err := decodeObject(data, &activity); err != nil {
		return err
	}
	if activity.Type == "" {
		return errors.New("identomat: an activity without a type")
	}
	activity.raw = bytes.Clone(data)
	*a = Activity(activity)
	return nil
}

// Activities returns what happened in a session with list-session-activities, in the
// order of the service, which is not documented. (API reference, Accessing Data and More,
// list-session-activities.)
//
// Errors: [ValidationError] before anything is sent; [ErrSessionNotFound],
// [ErrInvalidKey], [ErrUnexpectedResponse].
func (s *SessionsService) Activities(ctx context.Context, token Token) ([]Activity, error) {
	op := operation.SessionActivities
	body, err := s.client.sessionBody(op, token)
	if err != nil {
		return nil, err
	}
	var activities wrapped[items[Activity]]
	err = s.client.callJSON(ctx, op, body, &activities)
	return activities.value, err
}

// Statistics sums up how a session went. What is absent or null, such as the time of a
// step that did not happen, is the zero value. fmt, slog and
// encoding/json show a mask.
type Statistics struct {
	private

	// SessionStartDate is when the customer began, in ISO 8601, as all times here.
	SessionStartDate Date `json:"sessionStartDate"`
	// SessionTimeSpan is how long the session took, in milliseconds; nil if absent. The
	// reference does not name the unit: its example has 8000 for a session whose other
	// times span eight seconds.
	SessionTimeSpan *int64 `json:"sessionTimeSpan"`
	// ScanDocumentStartTime and ScanDocumentEndTime bound the scan of the document;
	// ScanDocumentAttempts counts its attempts.
	ScanDocumentStartTime Date `json:"scanDocumentStartTime"`
	ScanDocumentEndTime   Date `json:"scanDocumentEndTime"`
	ScanDocumentAttempts  int  `json:"scanDocumentAttempts"`
	// ScanDocumentFailReason has only been seen as null, which is nil; so have
	// LivenessFailReasons, SessionTerminationStep and SessionTerminationReasons.
	ScanDocumentFailReason any `json:"scanDocumentFailReason"`
	// LivenessStartTime and LivenessEndTime bound the check of the face.
	LivenessStartTime   Date `json:"livenessStartTime"`
	LivenessEndTime     Date `json:"livenessEndTime"`
	LivenessFailReasons any  `json:"livenessFailReasons"`
	// SessionTerminationStep and SessionTerminationReasons tell where and why a session
	// broke off.
	SessionTerminationStep    any `json:"sessionTerminationStep"`
	SessionTerminationReasons any `json:"sessionTerminationReasons"`

	// More holds further summaries. The reply is a list; the reference shows one summary
	// in it.
	More []Statistics `json:"-"`

	raw json.RawMessage
}

// Raw is this summary as it came. The caller must not write to it.
func (s *Statistics) Raw() json.RawMessage { return s.raw }

// UnmarshalJSON reads one summary. It fails without a start.
func (s *Statistics) UnmarshalJSON(data []byte) error {
	type fields Statistics // without UnmarshalJSON
	var statistics fields
	if err := decodeObject(data, &statistics); err != nil {
		return err
	}
	var start struct {
		Date json.RawMessage `json:"sessionStartDate"` // null is a start that did not happen
	}
	if err := json.Unmarshal(data, &start); err != nil || len(start.Date) == 0 {
		return errors.New("identomat: statistics without a start")
	}
	statistics.raw = bytes.Clone(data)
	*s = Statistics(statistics)
	return nil
}

// Statistics sums up how a session went, with get-session-statistical-summary. (API
// reference, Accessing Data and More, get-session-statistical-summary.)
//
// Errors: [ValidationError] before anything is sent; [ErrSessionNotFound],
// [ErrInvalidKey], [ErrUnexpectedResponse], also for a reply without any summary.
func (s *SessionsService) Statistics(ctx context.Context, token Token) (*Statistics, error) {
	op := operation.SessionStatistics
	body, err := s.client.sessionBody(op, token)
	if err != nil {
		return nil, err
	}
	var list wrapped[summaries]
	if err := s.client.callJSON(ctx, op, body, &list); err != nil {
		return nil, err
	}
	first := &list.value[0]
	if more := list.value[1:]; len(more) > 0 {
		first.More = more
	}
	return first, nil
}

// summaries is a list of at least one.
type summaries []Statistics

func (s *summaries) UnmarshalJSON(data []byte) error {
	if err := json.Unmarshal(data, (*items[Statistics])(s)); err != nil {
		return err
	}
	if len(*s) == 0 {
		return errors.New("identomat: no statistics")
	}
	return nil
}
