// Package operation holds the operation table: one row for every endpoint of Identomat. The
// encoder, the retry decision, the classifier, the fake server and the coverage test read
// the same rows, so no fact about an endpoint is written down twice.
package operation

// Host tells which of the two services serves an endpoint.
type Host uint8

const (
	// Widget is widget.identomat.com: snake_case parameters, paths below /external-api/
	// that end in a slash.
	Widget Host = iota
	// API is external-api.identomat.com: camelCase parameters, the bare name as path.
	API
)

// Encoding is how the parameters are encoded in the body of the POST request.
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
	// Outcome is the JSON object of result/, with the outcome as its member result.
	Outcome
	// Object is a non-empty JSON object with the data at its top level.
	Object
	// Done is any JSON that is not an error: true, or a document about what was done.
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
	// DataURI is {"result": …} around one data URI or lists of data URIs.
	DataURI
)

// IsMedia reports whether a successful response is streamed.
func (s Shape) IsMedia() bool { return s == Binary || s == DataURI }

// Operation is one row.
type Operation struct {
	// Name is the path below the host's root. Errors, events and logs show it.
	Name     string
	Host     Host
	Encoding Encoding
	// Retryable says that a second call has no further effect and costs nothing, so that
	// the call may be retried after a lost response.
	Retryable bool
	Shape     Shape
	// Section is the heading in Identomat's API reference.
	Section string

	path string // of a row
}

// Path returns the path of the endpoint on its host.
func (o *Operation) Path() string {
	if o.path != "" {
		return o.path
	}
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
)

// The rows, in the order of the API reference.
var (
	SessionBegin     = add("begin/", Widget, JSON, once, Token, sessions)
	SessionResult    = add("result/", Widget, Form, retryable, Outcome, sessions)
	SessionDelete    = add("delete/", Widget, Form, retryable, Done, sessions)
	ExportSessionPDF = add("export-session-as-pdf", API, JSON, retryable, Binary, sessions)

	ResultCardFront       = add("result/card-front/", Widget, Form, retryable, Binary, accessing)
	ResultCardBack        = add("result/card-back/", Widget, Form, retryable, Binary, accessing)
	ResultPassport        = add("result/passport/", Widget, Form, retryable, Binary, accessing)
	ResultFace            = add("result/face/", Widget, Form, retryable, Binary, accessing)
	ResultFaceVideo       = add("result/face-video/", Widget, Form, retryable, Binary, accessing)
	ResultFaceDocument    = add("result/face-document/", Widget, Form, retryable, Binary, accessing)
	ResultGeneralDocument = add("result/general-document/", Widget, Form, retryable, Binary, accessing)
	DocumentFacePhoto     = add("get-session-main-document-face-photo", API, JSON, retryable, DataURI, accessing)
	SessionActivities     = add("list-session-activities", API, JSON, retryable, Result, accessing)
	SessionStatistics     = add("get-session-statistical-summary", API, JSON, retryable, Result, accessing)
	VisualMarkers         = add("get-visual-markers", API, JSON, retryable, DataURI, accessing)
	QuestionFile          = add("get-question-file", API, JSON, retryable, DataURI, accessing)

	ScreeningSearch    = add("search-screening-person", API, JSON, retryable, Result, screening)
	ScreeningPerson    = add("get-screening-person-details", API, JSON, retryable, Result, screening)
	ScreeningMonitor   = add("monitor-screening-query", API, JSON, once, Result, screening)
	ScreeningUnmonitor = add("remove-screening-query-from-monitoring", API, JSON, retryable, Empty, screening)
	ScreeningMonitored = add("list-screening-monitoring-records", API, JSON, retryable, Result, screening)

	BlacklistAdd    = add("add-blacklist-record", API, JSON, once, Result, blacklist)
	BlacklistRemove = add("remove-blacklist-record", API, JSON, retryable, True, blacklist)
	BlacklistList   = add("list-blacklist-records", API, JSON, retryable, Result, blacklist)

	VideoCallShots  = add("get-video-call-shots", API, JSON, retryable, DataURI, videoCall)
	VideoCallVideos = add("get-video-call-videos", API, JSON, retryable, Binary, videoCall)
	VideoCallEnd    = add("end-video-call", API, JSON, retryable, Empty, videoCall)

	GroupsList    = add("list-groups", API, JSON, retryable, Result, other)
	GroupCreate   = add("make-group", API, JSON, once, Result, other)
	GroupUpdate   = add("change-group", API, JSON, retryable, Empty, other)
	GroupDelete   = add("delete-group", API, JSON, retryable, Empty, other)
	UsersList     = add("list-users", API, JSON, retryable, Result, other)
	UserCreate    = add("create-user", API, JSON, once, Result, other)
	SessionConfig = add("get-session-config", API, JSON, retryable, Result, other)

	CardFront      = add("card/front/", Widget, Multipart, once, Object, images)
	CardBack       = add("card/back/", Widget, Multipart, once, Object, images)
	LicenseFront   = add("license/front/", Widget, Multipart, once, Object, images)
	LicenseBack    = add("license/back/", Widget, Multipart, once, Object, images)
	ResidenceFront = add("residence/front/", Widget, Multipart, once, Object, images)
	ResidenceBack  = add("residence/back/", Widget, Multipart, once, Object, images)
	Passport       = add("passport/", Widget, Multipart, once, Object, images)

	// The reference titles this row compare-faces/ and prints its URL without the slash.
	CompareFaces = add("compare-faces", API, Multipart, once, Result, faces)
)

var all []*Operation

// All returns all rows in the order of the API reference.
func All() []*Operation { return all }

func add(name string, host Host, enc Encoding, retryable bool, shape Shape, section string) *Operation {
	op := &Operation{Name: name, Host: host, Encoding: enc, Retryable: retryable, Shape: shape, Section: section}
	op.path = op.Path()
	all = append(all, op)
	return op
}
