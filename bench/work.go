package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"

	"github.com/identomat-go/identomat"
)

// Every client sends the same requests and decodes into the same types.

const (
	companyKey = "company-key-0123456789-unprintable"
	secretKey  = "secret-key-0123456789-unprintable"
	token      = "47fjzxvvzapi4ztasth3c2ozfucli3l0qx13hisc"

	beginPath    = "/external-api/begin/"
	resultPath   = "/external-api/result/"
	downloadPath = "/external-api/result/face-video/"
	passportPath = "/external-api/passport/"

	searchPath    = "/search-screening-person"
	blacklistPath = "/list-blacklist-records"
	monitoredPath = "/list-screening-monitoring-records"

	asJSON = "application/json"
	asForm = "application/x-www-form-urlencoded"

	// refusedUser is the clientUserId that makes the server refuse a session with refusalCode.
	refusedUser = "refused"
	refusalCode = "wrong-parameters"
)

// A client makes the calls that the benchmark measures.
type client interface {
	begin(beginning) (answer, error)
	// result keeps the response body in addition to the decoded value, as the SDK does. outcome
	// does not need to keep it.
	result() (answer, error)
	outcome() (answer, error)
	download() (answer, error)
	upload() (answer, error)
	list(*list) (answer, error)
}

// A beginning describes a session to begin: one with three steps, or with a questionnaire.
type beginning struct {
	questions int
	// refused is set if the server refuses the session. The answer is the error code.
	refused bool
}

// An answer is what a client decoded from a response, for comparison: one text, the number of bytes
// or hits, and the response body if the client keeps it.
type answer struct {
	text string
	n    int64
	raw  []byte
}

func (a answer) String() string { return fmt.Sprintf("%q, %d, %d bytes kept", a.text, a.n, len(a.raw)) }

type (
	beginRequest struct {
		CompanyKey   string     `json:"company_key"`
		Flags        beginFlags `json:"flags"`
		Steps        []step     `json:"steps"`
		ClientUserID string     `json:"clientUserId"`
	}
	beginFlags struct {
		Language  string `json:"language,omitempty"`
		ReturnURL string `json:"return_url,omitempty"`
		SkipFace  bool   `json:"skip_face"`
		SkipDoc   bool   `json:"skip_document"`
	}
	step struct {
		Type      string     `json:"type"`
		Key       string     `json:"key"`
		Flags     any        `json:"flags,omitempty"`
		Title     texts      `json:"title,omitempty"`
		Questions []question `json:"questions,omitempty"`
	}
	documentFlags struct {
		Types       []string `json:"document_types"`
		Countries   []string `json:"document_countries"`
		AllowUpload bool     `json:"allow_document_upload"`
	}
	livenessFlags struct {
		Liveness bool `json:"liveness"`
	}
	question struct {
		Type      string `json:"type"`
		Key       string `json:"key"`
		Title     texts  `json:"title"`
		Answer    string `json:"answer,omitempty"`
		Mandatory bool   `json:"mandatory,omitempty"`
		Options   []opt  `json:"options,omitempty"`
	}
	opt struct {
		Key   string `json:"key"`
		Title texts  `json:"title"`
	}
	texts = map[string]string

	searchRequest struct {
		CompanyKey string      `json:"companyKey"`
		Query      searchQuery `json:"query"`
		Offset     int64       `json:"offset"`
		Limit      int         `json:"limit"`
	}
	searchQuery struct {
		FullName       string `json:"fullName"`
		ScoreThreshold int    `json:"scoreThreshold"`
	}
	blacklistRequest struct {
		CompanyKey string         `json:"companyKey"`
		Query      blacklistQuery `json:"query"`
	}
	blacklistQuery struct {
		Offset int64 `json:"offset"`
		Limit  int   `json:"limit"`
	}
	monitoredRequest struct {
		CompanyKey string `json:"companyKey"`
		Start      int64  `json:"start"`
		Limit      int    `json:"limit"`
	}
)

func newBegin(b beginning) beginRequest {
	user := "user-12345"
	if b.refused {
		user = refusedUser
	}
	if b.questions > 0 {
		return beginRequest{
			CompanyKey:   companyKey,
			Flags:        beginFlags{SkipFace: true, SkipDoc: true},
			Steps:        []step{{Type: "user-questionnaire", Key: "many", Questions: newQuestions(b.questions)}},
			ClientUserID: user,
		}
	}
	return beginRequest{
		CompanyKey: companyKey,
		Flags:      beginFlags{Language: "ka", ReturnURL: "https://bank.example/kyc/return", SkipFace: true, SkipDoc: true},
		Steps: []step{
			{Type: "identity-document", Key: "identity-document", Flags: documentFlags{[]string{"passport", "id"}, []string{"GEO"}, true}},
			{Type: "liveness", Key: "liveness", Flags: livenessFlags{true}},
			{Type: "user-questionnaire", Key: "employment", Title: texts{"en": "Employment", "ka": "დასაქმება"}, Questions: []question{
				{Type: "string", Key: "name", Title: texts{"en": "Your full name"}, Answer: "John Doe", Mandatory: true},
				{Type: "options", Key: "employed", Title: texts{"en": "Are you employed?"}, Options: []opt{
					{"yes", texts{"en": "Yes"}}, {"no", texts{"en": "No"}},
				}},
			}},
		},
		ClientUserID: user,
	}
}

func newQuestions(n int) []question {
	all := make([]question, n)
	for i := range all {
		key := questionKey(i)
		all[i] = question{Type: "string", Key: key, Title: texts{"en": "Title of " + key}, Mandatory: true}
	}
	return all
}

func questionKey(i int) string { return "question" + strconv.Itoa(i) }

// refusal returns the answer for the response to a refused begin.
func refusal(raw []byte) (answer, error) {
	var token string
	if json.Unmarshal(raw, &token) == nil {
		return answer{}, errors.New("the session was not refused")
	}
	var body struct {
		ArgumentError string `json:"argumentError"`
	}
	err := json.Unmarshal(raw, &body)
	return answer{text: body.ArgumentError}, err
}

// A list is an endpoint that returns a list in pages.
type list struct {
	path string
	// offsets are the offsets of the pages that a client requests.
	offsets []int64
	limit   int
	request func(offset int64, limit int) any
	// member is the name of the offset in the JSON of the request.
	member string
	// page is the type of the response. data and total are the indexes of the records and of their
	// number. A list without a total ends with an empty page.
	page        reflect.Type
	data, total []int
	// name is the index of the field of a record that an answer shows.
	name int
}

const (
	pageSize = 100
	records  = 2*pageSize + 30
	// longPage is the number of records in the page over 1 MiB.
	longPage = 10_000
)

func newSearch(offset int64, limit int) any {
	return searchRequest{CompanyKey: companyKey, Query: searchQuery{"John Smith", 80}, Offset: offset, Limit: limit}
}

func newBlacklistPage(offset int64, limit int) any {
	return blacklistRequest{companyKey, blacklistQuery{offset, limit}}
}

func newMonitoredPage(offset int64, limit int) any {
	return monitoredRequest{companyKey, offset, limit}
}

var (
	searchList = &list{
		path: searchPath, offsets: []int64{0, pageSize, 2 * pageSize, records}, limit: pageSize, request: newSearch, member: "offset",
		page: hitsType, data: []int{0}, name: hitNameField,
	}
	blacklistList = &list{
		path: blacklistPath, offsets: []int64{0, pageSize, 2 * pageSize}, limit: pageSize, request: newBlacklistPage, member: "offset",
		page: pageOf(recordType), data: []int{0, 0}, total: []int{0, 1}, name: field(recordType, "FirstName"),
	}
	longList = &list{
		path: blacklistPath, offsets: []int64{0}, limit: longPage, request: newBlacklistPage, member: "offset",
		page: pageOf(recordType), data: []int{0, 0}, total: []int{0, 1}, name: field(recordType, "FirstName"),
	}
	monitoredList = &list{
		path: monitoredPath, offsets: []int64{0, pageSize, 2 * pageSize}, limit: pageSize, request: newMonitoredPage, member: "start",
		page: pageOf(monitoredType), data: []int{0, 0}, total: []int{0, 1}, name: field(monitoredType, "FullName"),
	}
)

// read requests pages until the list ends.
func (l *list) read(call func(path string, body, into any) ([]byte, error)) (answer, error) {
	var found answer
	for {
		v := reflect.New(l.page)
		if _, err := call(l.path, l.request(found.n, l.limit), v.Interface()); err != nil {
			return answer{}, err
		}
		page := v.Elem()
		data := page.FieldByIndex(l.data)
		if data.Len() == 0 {
			return found, nil
		}
		found.n += int64(data.Len())
		found.text = data.Index(data.Len() - 1).Field(l.name).String()
		if l.total != nil && found.n >= page.FieldByIndex(l.total).Int() {
			return found, nil
		}
	}
}

// plain removes the methods and the unexported fields from an SDK type. The result is the type that
// one would write by hand.
func plain(t reflect.Type) reflect.Type {
	if t == reflect.TypeFor[identomat.Answer]() || t == reflect.TypeFor[json.RawMessage]() {
		return reflect.TypeFor[json.RawMessage]()
	}
	switch t.Kind() {
	case reflect.Struct:
		var fields []reflect.StructField
		for field := range t.Fields() {
			if field.IsExported() && !field.Anonymous {
				fields = append(fields, reflect.StructField{Name: field.Name, Type: plain(field.Type), Tag: field.Tag})
			}
		}
		return reflect.StructOf(fields)
	case reflect.Slice:
		return reflect.SliceOf(plain(t.Elem()))
	case reflect.Pointer:
		return reflect.PointerTo(plain(t.Elem()))
	case reflect.Map:
		return reflect.MapOf(plain(t.Key()), plain(t.Elem()))
	case reflect.String:
		return reflect.TypeFor[string]()
	}
	return t
}

var (
	resultType     = plain(reflect.TypeFor[identomat.Result]())
	personField    = field(resultType, "Person")
	firstNameField = field(resultType.Field(personField).Type, "FirstName")

	hitsType = reflect.StructOf([]reflect.StructField{
		{Name: "Result", Type: reflect.SliceOf(plain(reflect.TypeFor[identomat.ScreeningHit]())), Tag: `json:"result"`},
	})
	hitNameField = field(hitsType.Field(0).Type.Elem(), "Name")

	recordType    = plain(reflect.TypeFor[identomat.BlacklistRecord]())
	monitoredType = plain(reflect.TypeFor[identomat.MonitoredRecord]())
)

// pageOf returns the type of a page of records with a total.
func pageOf(record reflect.Type) reflect.Type {
	result := reflect.StructOf([]reflect.StructField{
		{Name: "Data", Type: reflect.SliceOf(record), Tag: `json:"data"`},
		{Name: "Total", Type: reflect.TypeFor[int64](), Tag: `json:"total"`},
	})
	return reflect.StructOf([]reflect.StructField{{Name: "Result", Type: result, Tag: `json:"result"`}})
}

func field(t reflect.Type, name string) int {
	f, ok := t.FieldByName(name)
	if !ok {
		panic(name)
	}
	return f.Index[0]
}

// resultAnswer returns the answer for a value of resultType.
func resultAnswer(v reflect.Value, raw []byte) answer {
	return answer{text: v.Elem().Field(personField).Field(firstNameField).String(), raw: raw}
}

func digestOf(body []byte) []byte { return digestWith([]byte(secretKey), body) }

func digestWith(key, data []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(data)
	return mac.Sum(nil)
}

func authorization(digest []byte) string {
	return `signature="` + base64.StdEncoding.EncodeToString(digest) + `"`
}

// uploadFile is the path of the passport image to upload.
var uploadFile = filepath.Join(os.TempDir(), fmt.Sprintf("identomat-bench-%d.jpg", os.Getpid()))

func writeUpload() error {
	data := video(uploadSize)
	copy(data, "\xff\xd8\xff\xe0\x00\x10JFIF")
	return os.WriteFile(uploadFile, data, 0o600)
}

// formHead and formTail return the parts of the upload form before and after the file.
func formHead(boundary string) string {
	return "--" + boundary + "\r\nContent-Disposition: form-data; name=\"company_key\"\r\n\r\n" + companyKey +
		"\r\n--" + boundary + "\r\nContent-Disposition: form-data; name=\"image\"; filename=\"image.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n"
}

func formTail(boundary string) string { return "\r\n--" + boundary + "--\r\n" }

// documentType is the type to decode a passport into.
var documentType = reflect.StructOf([]reflect.StructField{
	{Name: "MRZData", Type: reflect.TypeFor[map[string]any](), Tag: `json:"mrzData"`},
	{Name: "VisualData", Type: reflect.TypeFor[map[string]any](), Tag: `json:"visualData"`},
	{Name: "Person", Type: plain(reflect.TypeFor[identomat.Person]()), Tag: `json:"person"`},
	{Name: "RequestID", Type: reflect.TypeFor[string](), Tag: `json:"requestId"`},
})

// documentAnswer returns the answer for a value of documentType.
func documentAnswer(v reflect.Value, raw []byte) answer {
	return answer{text: v.Elem().Field(2).Field(firstNameField).String(), raw: raw}
}
