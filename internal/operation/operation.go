// Package operation holds the operation table: one row for every Identomat endpoint. The encoder,
// the retry decision, the classifier, the fake server and the coverage test read the same rows, so
// nothing about an endpoint is stated twice.
package operation

// Host is one of Identomat's two hosts.
type Host uint8

const (
	// Widget is widget.identomat.com: snake_case parameters, and paths below /external-api/ with a
	// trailing slash.
	Widget Host = iota
	// API is external-api.identomat.com: camelCase parameters, and the name as the path.
	API
)

// Encoding is the encoding of the parameters in the POST body.
type Encoding uint8

const (
	// JSON is one JSON object.
	JSON Encoding = iota
	// Form is application/x-www-form-urlencoded.
	Form
	// Multipart is multipart/form-data, text parts before file parts.
	Multipart
)

// Shape is the form of a successful response. A response of another shape is an error.
type Shape uint8

const (
	// Token is a JSON string that holds a session token.
	Token Shape = iota
	// Outcome is a JSON object whose member result is the outcome of the session.
	Outcome
	// Object is a non-empty JSON object with the data at its top level.
	Object
	// Done is the value true, an empty object, or an object whose member result is true or a string.
	Done
	// Result is {"result": …}.
	Result
	// True is {"result": true}.
	True
	// Empty is {}.
	Empty
	// Any is any JSON that is not an error, for endpoints without a row.
	Any
	// Binary is an image, a video, an archive or a PDF.
	Binary
	// DataURI is {"result": …} with one data URI, or with lists of data URIs.
	DataURI
)

// IsMedia reports whether a successful response is streamed.
func (s Shape) IsMedia() bool { return s == Binary || s == DataURI }

// Operation is one row.
type Operation struct {
	// Name is the path; for Widget, it lacks the prefix /external-api/. Errors, events and logs
	// show it.
	Name     string
	Host     Host
	Encoding Encoding
	// Retryable says that a second call has no further effect and costs nothing, so the call may be
	// retried after a lost response.
	Retryable bool
	// Billable says that the call may be billed. Identomat publishes no prices.
	Billable bool
	Shape    Shape
	// Section is the heading in Identomat's API reference.
	Section string
}

// Path returns the path of the endpoint on its host.
func (o *Operation) Path() string {
	if o.Host == Widget {
		return "/external-api/" + o.Name
	}
	return "/" + o.Name
}

// KeyName returns the name of the parameter that holds the company key.
func (o *Operation) KeyName() string {
	if o.Host == Widget {
		return "company_key"
	}
	return "companyKey"
}

// SessionName returns the name of the parameter that holds the session token.
func (o *Operation) SessionName() string {
	if o.Host == Widget {
		return "session_token"
	}
	return "sessionId"
}

const (
	sessions  = "Session management"
	accessing = "Accessing Data and More"
	screening = "AML Screening"
	blacklist = "Blacklist management"
	videoCall = "Video call"
	other     = "Other methods"
	images    = "Processing an image"
	faces     = "Additional processing"
)

const (
	once      = false
	retryable = true

	free     = false
	billable = true
)

// The rows, in the order of the API reference.
var (
	SessionBegin     = &Operation{"begin/", Widget, JSON, once, billable, Token, sessions}
	SessionResult    = &Operation{"result/", Widget, Form, retryable, free, Outcome, sessions}
	SessionDelete    = &Operation{"delete/", Widget, Form, retryable, free, Done, sessions}
	ExportSessionPDF = &Operation{"export-session-as-pdf", API, JSON, retryable, free, Binary, sessions}

	ResultCardFront       = &Operation{"result/card-front/", Widget, Form, retryable, free, Binary, accessing}
	ResultCardBack        = &Operation{"result/card-back/", Widget, Form, retryable, free, Binary, accessing}
	ResultPassport        = &Operation{"result/passport/", Widget, Form, retryable, free, Binary, accessing}
	ResultFace            = &Operation{"result/face/", Widget, Form, retryable, free, Binary, accessing}
	ResultFaceVideo       = &Operation{"result/face-video/", Widget, Form, retryable, free, Binary, accessing}
	ResultFaceDocument    = &Operation{"result/face-document/", Widget, Form, retryable, free, Binary, accessing}
	ResultGeneralDocument = &Operation{"result/general-document/", Widget, Form, retryable, free, Binary, accessing}
	DocumentFacePhoto     = &Operation{"get-session-main-document-face-photo", API, JSON, retryable, free, DataURI, accessing}
	SessionActivities     = &Operation{"list-session-activities", API, JSON, retryable, free, Result, accessing}
	SessionStatistics     = &Operation{"get-session-statistical-summary", API, JSON, retryable, free, Result, accessing}
	VisualMarkers         = &Operation{"get-visual-markers", API, JSON, retryable, free, DataURI, accessing}
	QuestionFile          = &Operation{"get-question-file", API, JSON, retryable, free, DataURI, accessing}

	ScreeningSearch    = &Operation{"search-screening-person", API, JSON, retryable, billable, Result, screening}
	ScreeningPerson    = &Operation{"get-screening-person-details", API, JSON, retryable, billable, Result, screening}
	ScreeningMonitor   = &Operation{"monitor-screening-query", API, JSON, once, billable, Result, screening}
	ScreeningUnmonitor = &Operation{"remove-screening-query-from-monitoring", API, JSON, retryable, free, Empty, screening}
	ScreeningMonitored = &Operation{"list-screening-monitoring-records", API, JSON, retryable, free, Result, screening}

	BlacklistAdd    = &Operation{"add-blacklist-record", API, JSON, once, free, Result, blacklist}
	BlacklistRemove = &Operation{"remove-blacklist-record", API, JSON, retryable, free, True, blacklist}
	BlacklistList   = &Operation{"list-blacklist-records", API, JSON, retryable, free, Result, blacklist}

	VideoCallShots  = &Operation{"get-video-call-shots", API, JSON, retryable, free, DataURI, videoCall}
	VideoCallVideos = &Operation{"get-video-call-videos", API, JSON, retryable, free, Binary, videoCall}
	VideoCallEnd    = &Operation{"end-video-call", API, JSON, retryable, free, Empty, videoCall}

	GroupsList    = &Operation{"list-groups", API, JSON, retryable, free, Result, other}
	GroupCreate   = &Operation{"make-group", API, JSON, once, free, Result, other}
	GroupUpdate   = &Operation{"change-group", API, JSON, retryable, free, Empty, other}
	GroupDelete   = &Operation{"delete-group", API, JSON, retryable, free, Empty, other}
	UsersList     = &Operation{"list-users", API, JSON, retryable, free, Result, other}
	UserCreate    = &Operation{"create-user", API, JSON, once, free, Result, other}
	SessionConfig = &Operation{"get-session-config", API, JSON, retryable, free, Result, other}

	CardFront      = &Operation{"card/front/", Widget, Multipart, once, billable, Object, images}
	CardBack       = &Operation{"card/back/", Widget, Multipart, once, billable, Object, images}
	LicenseFront   = &Operation{"license/front/", Widget, Multipart, once, billable, Object, images}
	LicenseBack    = &Operation{"license/back/", Widget, Multipart, once, billable, Object, images}
	ResidenceFront = &Operation{"residence/front/", Widget, Multipart, once, billable, Object, images}
	ResidenceBack  = &Operation{"residence/back/", Widget, Multipart, once, billable, Object, images}
	Passport       = &Operation{"passport/", Widget, Multipart, once, billable, Object, images}

	// The API reference has a slash in the title of this endpoint, but not in its URL.
	CompareFaces = &Operation{"compare-faces", API, Multipart, once, billable, Result, faces}
)

// All returns the rows in the order of the API reference.
func All() []*Operation {
	return []*Operation{
		SessionBegin, SessionResult, SessionDelete, ExportSessionPDF, ResultCardFront, ResultCardBack, ResultPassport,
		ResultFace, ResultFaceVideo, ResultFaceDocument, ResultGeneralDocument, DocumentFacePhoto, SessionActivities,
		SessionStatistics, VisualMarkers, QuestionFile, ScreeningSearch, ScreeningPerson, ScreeningMonitor,
		ScreeningUnmonitor, ScreeningMonitored, BlacklistAdd, BlacklistRemove, BlacklistList, VideoCallShots,
		VideoCallVideos, VideoCallEnd, GroupsList, GroupCreate, GroupUpdate, GroupDelete, UsersList, UserCreate,
		SessionConfig, CardFront, CardBack, LicenseFront, LicenseBack, ResidenceFront, ResidenceBack, Passport,
		CompareFaces,
	}
}
