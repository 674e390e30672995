package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"

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
	searchPath   = "/search-screening-person"

	asJSON = "application/json"
	asForm = "application/x-www-form-urlencoded"
)

// A client makes the calls that the benchmark measures.
type client interface {
	begin() (answer, error)
	// result keeps the response body in addition to the decoded value, as the SDK does. outcome
	// does not need to keep it.
	result() (answer, error)
	outcome() (answer, error)
	download() (answer, error)
	upload() (answer, error)
	search() (answer, error)
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
		Language  string `json:"language"`
		ReturnURL string `json:"return_url"`
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
)

// newBegin returns the request for a session with three steps.
func newBegin() beginRequest {
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
		ClientUserID: "user-12345",
	}
}

func newSearch(offset int64) searchRequest {
	return searchRequest{CompanyKey: companyKey, Query: searchQuery{"John Smith", 80}, Offset: offset, Limit: pageSize}
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
)

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
