package identomat

import (
	"context"
	"encoding/json"

	"github.com/identomat-go/identomat/internal/operation"
)

// ActivityType is a kind of event in a session. Most kinds are not documented.
type ActivityType string

// ActivityPageLoaded means that the widget was opened. The API reference shows no other type.
const ActivityPageLoaded ActivityType = "PAGE_LOADED"

// Activity is an event in a session.
type Activity struct {
	record

	// ID identifies the activity. Type is its kind, such as [ActivityPageLoaded].
	ID   string       `json:"id"`
	Type ActivityType `json:"type" wire:"required"`
	// Time is in ISO 8601 with milliseconds, in UTC.
	Time Date `json:"time"`
	// Data is [], or an object whose members depend on the type.
	Data json.RawMessage `json:"data"`
}

// Extra returns, keyed by path, the activity's members that this SDK does not know or whose type is
// wrong.
func (a *Activity) Extra() map[string]json.RawMessage { return codec.Extra(a.raw, a) }

// UnmarshalJSON decodes an activity, such as a recorded one.
func (a *Activity) UnmarshalJSON(data []byte) error { return codec.Unmarshal(data, a) }

// Activities lists the events in a session with list-session-activities. Their order is not documented.
// (API reference, Accessing Data and More.) Errors: [ErrSessionNotFound].
func (s *SessionsService) Activities(ctx context.Context, token Token) ([]Activity, error) {
	return do[[]Activity](ctx, s.client, operation.SessionActivities, ofSession(token))
}

// Statistics summarizes a session. A field is zero if its value is absent or null, for example because a
// step did not happen.
type Statistics struct {
	record

	// SessionStartDate is when the customer began the session, or empty if the customer never began. All
	// times are in ISO 8601.
	SessionStartDate Date `json:"sessionStartDate" wire:"present"`
	// SessionTimeSpan is the session's duration in milliseconds, or nil. The unit is not documented, but
	// in the API reference's example the value is 8000, and the first and last times are eight seconds
	// apart.
	SessionTimeSpan *int64 `json:"sessionTimeSpan"`
	// ScanDocumentStartTime and ScanDocumentEndTime are when the document scan began and ended.
	// ScanDocumentAttempts counts its attempts.
	ScanDocumentStartTime Date `json:"scanDocumentStartTime"`
	ScanDocumentEndTime   Date `json:"scanDocumentEndTime"`
	ScanDocumentAttempts  int  `json:"scanDocumentAttempts"`
	// LivenessStartTime and LivenessEndTime are when the liveness check began and ended.
	LivenessStartTime Date `json:"livenessStartTime"`
	LivenessEndTime   Date `json:"livenessEndTime"`
	// ScanDocumentFailReason, LivenessFailReasons, SessionTerminationStep and SessionTerminationReasons
	// have only been seen as null.
	ScanDocumentFailReason    any `json:"scanDocumentFailReason"`
	LivenessFailReasons       any `json:"livenessFailReasons"`
	SessionTerminationStep    any `json:"sessionTerminationStep"`
	SessionTerminationReasons any `json:"sessionTerminationReasons"`

	// More holds the summaries after the first. The response is a list, which has one element in the API
	// reference.
	More []Statistics `json:"-"`
}

// Extra returns, keyed by path, the summary's members that this SDK does not know or whose type is wrong.
func (s *Statistics) Extra() map[string]json.RawMessage { return codec.Extra(s.raw, s) }

// UnmarshalJSON decodes a summary, such as a recorded one.
func (s *Statistics) UnmarshalJSON(data []byte) error { return codec.Unmarshal(data, s) }

// Statistics summarizes a session with get-session-statistical-summary. (API reference, Accessing Data
// and More.) Errors: [ErrSessionNotFound]; [ErrUnexpectedResponse] also for an empty list.
func (s *SessionsService) Statistics(ctx context.Context, token Token) (*Statistics, error) {
	list, err := do[[]Statistics](ctx, s.client, operation.SessionStatistics, ofSession(token))
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, brokenList(operation.SessionStatistics, "an empty list")
	}
	list[0].More = list[1:len(list):len(list)]
	return &list[0], nil
}
