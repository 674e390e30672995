// Package operation holds the operation table: one row for every endpoint of
// Identomat. Methods, the retry gate, error texts, the fake server and the
// coverage test read the same rows, so an endpoint cannot exist in one place only.
package operation

// Host tells which of the two services an endpoint belongs to.
type Host uint8

const (
	// Widget is widget.identomat.com: snake_case parameters, paths below
	// /external-api/ that end in a slash.
	Widget Host = iota
	// API is external-api.identomat.com: camelCase parameters, a bare name as path.
	API
)

// Encoding is how the parameters travel in the POST body.
type Encoding uint8

const (
	// JSON is one JSON object.
	JSON Encoding = iota
	// Form is an urlencoded form.
	Form
	// Multipart is multipart/form-data, text parts before file parts.
	Multipart
)

// Shape is what a successful reply looks like. A reply of any other shape is an error.
type Shape uint8

const (
	// Token is a JSON string that holds a session token.
	Token Shape = iota
	// Outcome is the JSON object of result/, which must tell its outcome.
	Outcome
	// Object is a non-empty JSON object with the data at its top level.
	Object
	// Done is any JSON that is not an error: true, or a document about what was done.
	Done
	// Wrapped is {"result": …}.
	Wrapped
	// Empty is {}.
	Empty
	// Binary is the bytes of an image, a video, an archive or a PDF.
	Binary
	// DataURI is {"result": …} around one data URI or lists of them.
	DataURI
)

// Operation is one row.
type Operation struct {
	// Name is the path below the host's root, and the name in errors, events and logs.
	Name     string
	Host     Host
	Encoding Encoding
	// Repeatable says that sending the call twice has the effect of sending it once
	// and costs nothing, so that it may be sent again after a lost reply.
	Repeatable bool
	Shape      Shape
	// Section is the heading in Identomat's API reference.
	Section string
}

// Path is the path of the endpoint on its host.
func (o *Operation) Path() string {
	if o.Host == Widget {
		return "/external-api/" + o.Name
	}
	return "/" + o.Name
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
	once       = false
	repeatable = true
)

// The rows, in the order of the API reference.
var (
	Begin            = add("begin/", Widget, JSON, once, Token, sessions)
	Result           = add("result/", Widget, Form, repeatable, Outcome, sessions)
	Delete           = add("delete/", Widget, Form, repeatable, Done, sessions)
	ExportSessionPDF = add("export-session-as-pdf", API, JSON, repeatable, Binary, sessions)

	ResultCardFront       = add("result/card-front/", Widget, Form, repeatable, Binary, accessing)
	ResultCardBack        = add("result/card-back/", Widget, Form, repeatable, Binary, accessing)
	ResultPassport        = add("result/passport/", Widget, Form, repeatable, Binary, accessing)
	ResultFace            = add("result/face/", Widget, Form, repeatable, Binary, accessing)
	ResultFaceVideo       = add("result/face-video/", Widget, Form, repeatable, Binary, accessing)
	ResultFaceDocument    = add("result/face-document/", Widget, Form, repeatable, Binary, accessing)
	ResultGeneralDocument = add("result/general-document/", Widget, Form, repeatable, Binary, accessing)
	DocumentFacePhoto     = add("get-session-main-document-face-photo", API, JSON, repeatable, DataURI, accessing)
	SessionActivities     = add("list-session-activities", API, JSON, repeatable, Wrapped, accessing)
	SessionStatistics     = add("get-session-statistical-summary", API, JSON, repeatable, Wrapped, accessing)
	VisualMarkers         = add("get-visual-markers", API, JSON, repeatable, DataURI, accessing)
	QuestionFile          = add("get-question-file", API, JSON, repeatable, DataURI, accessing)

	ScreeningSearch    = add("search-screening-person", API, JSON, repeatable, Wrapped, screening)
	ScreeningPerson    = add("get-screening-person-details", API, JSON, repeatable, Wrapped, screening)
	ScreeningMonitor   = add("monitor-screening-query", API, JSON, once, Wrapped, screening)
	ScreeningUnmonitor = add("remove-screening-query-from-monitoring", API, JSON, repeatable, Empty, screening)
	ScreeningMonitored = add("list-screening-monitoring-records", API, JSON, repeatable, Wrapped, screening)

	BlacklistAdd    = add("add-blacklist-record", API, JSON, once, Wrapped, blacklist)
	BlacklistRemove = add("remove-blacklist-record", API, JSON, repeatable, Wrapped, blacklist)
	BlacklistList   = add("list-blacklist-records", API, JSON, repeatable, Wrapped, blacklist)

	VideoCallShots  = add("get-video-call-shots", API, JSON, repeatable, DataURI, videoCall)
	VideoCallVideos = add("get-video-call-videos", API, JSON, repeatable, Binary, videoCall)
	VideoCallEnd    = add("end-video-call", API, JSON, repeatable, Empty, videoCall)

	GroupsList    = add("list-groups", API, JSON, repeatable, Wrapped, other)
	GroupCreate   = add("make-group", API, JSON, once, Wrapped, other)
	GroupUpdate   = add("change-group", API, JSON, repeatable, Empty, other)
	GroupDelete   = add("delete-group", API, JSON, repeatable, Empty, other)
	UsersList     = add("list-users", API, JSON, repeatable, Wrapped, other)
	UserCreate    = add("create-user", API, JSON, once, Wrapped, other)
	SessionConfig = add("get-session-config", API, JSON, repeatable, Wrapped, other)

	CardFront      = add("card/front/", Widget, Multipart, once, Object, images)
	CardBack       = add("card/back/", Widget, Multipart, once, Object, images)
	LicenseFront   = add("license/front/", Widget, Multipart, once, Object, images)
	LicenseBack    = add("license/back/", Widget, Multipart, once, Object, images)
	ResidenceFront = add("residence/front/", Widget, Multipart, once, Object, images)
	ResidenceBack  = add("residence/back/", Widget, Multipart, once, Object, images)
	Passport       = add("passport/", Widget, Multipart, once, Object, images)

	// The reference titles this row compare-faces/ and prints its URL without the slash.
	CompareFaces = add("compare-faces", API, Multipart, once, Wrapped, faces)
)

var all []*Operation

// All returns every row in the order of the API reference.
func All() []*Operation { return all }

func add(name string, host Host, enc Encoding, repeatable bool, shape Shape, section string) *Operation {
	op := &Operation{Name: name, Host: host, Encoding: enc, Repeatable: repeatable, Shape: shape, Section: section}
	all = append(all, op)
	return op
}
