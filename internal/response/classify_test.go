package response

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/identomat-go/identomat/internal/operation"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const token = `"47fjzxvvzapi4ztasth3c2ozfucli3l0qx13hisc"`

// anyOperation is an endpoint that is not in the operation table.
var anyOperation = &operation.Operation{Name: "new-endpoint", Host: operation.API, Shape: operation.Any}

// shapes has one operation for each shape, with bodies of that shape and bodies that are refused.
// payload maps a body of the shape to its payload; "" stands for the whole body.
var shapes = []struct {
	op      *operation.Operation
	payload map[string]string
	refused []string
}{
	{
		operation.SessionBegin,
		map[string]string{
			token: "", " " + token + "\n": token, "\xef\xbb\xbf" + token: token, `"550e8400-e29b-41d4-a716-446655440000"`: "", `"abc123xyz"`: "", `"47FJZXVVZAPI4ZTASTH3C2OZFUCLI3L0QX13HISC"`: "",
		},
		[]string{
			`true`, `{}`, `[]`, `null`, `17`, `""`, `"error"`, `"two words"`, `{"result":` + token + `}`, `{"token":` + token + `}`, `[` + token + `]`, `"abc12xy"`, `"error-500"`, `"Error500"`, `"ab_c123xyz"`,
			`"a1b2c3d4e5 f6g7h8i9"`, `"` + strings.Repeat("a1", 200) + `"`,
		},
	},
	{
		operation.SessionResult,
		map[string]string{
			`{"result":"approved"}`: "", ` {"person":{},"result" : "in_progress" } `: "", `{"res\u0075lt":"approved"}`: "", `{"result":"NEW_OUTCOME"}`: "",
			`{"result":"approved","argumentError":null,"internalError":null}`: "", `{"result":"approved","x":{"result":"rejected","argumentError":"x"}}`: "",
			`{"result":"rejected","errors":["LOW_SIMILARITY"]}`: "", `{"result":"rejected","error":"x"}`: "", `{"result":"approved","errors":[],"error":"","errorCode":0,"errorMessage":null}`: "",
			`{"result":"approved","terror":"x","terrorism":[1]}`: "", "\xef\xbb\xbf" + `{"result":"approved"}`: `{"result":"approved"}`,
		},
		[]string{`true`, `{}`, `[]`, `null`, token, `{"result":""}`, `{"result":null}`, `{"result":true}`, `{"result":["approved"]}`, `{"result":{"result":"approved"}}`, `{"person":{}}`,
			`{"result":"approved","error":"boom"}`, `{"Error":true,"result":"APPROVED"}`, `{"result":"approved","error_code":17}`, `{"result":"approved","errorMessage":"x"}`,
			`{"result":"approved","errors":["LOW_SIMILARITY"]}`, `{"result":"\u0061pproved","ERRORS":[ 0 ]}`, `{"result":"approved","argument-error":{"a":1}}`,
			`{"result":"approved","internal_error":"x"}`, `{"result":"approved","\u0065rror":"x"}`, `{"result":"approved","errorSourceGroup":"x"}`},
	},
	{
		operation.Passport,
		map[string]string{`{"requestId":"1"}`: "", ` {"a":1} `: "", `{"result":{}}`: "", `{"result":null}`: "", `{"":0}`: ""},
		[]string{`true`, `{}`, `{ }`, `[]`, `[1]`, `null`, `0.9`, `{"requestId":"1","error":"x"}`},
	},
	{
		operation.SessionDelete,
		map[string]string{
			`true`: "", " true\n": "", `{}`: "", `{ }`: "", `[]`: "", `[ ]`: "", `{"result":true}`: "", `{"result":"rejected","errors":["X"]}`: "",
			`{"session_id":"1","person":{}}`: "", `{"success":true}`: "", `{"result":null,"errors":[]}`: "", `{"result":{"result":"approved"}}`: "", `{"result":1}`: "",
		},
		[]string{
			`false`, `null`, `17`, token, `[1]`, `{"success":false}`, `{"result":false}`, `{"error":"denied"}`, `{"person":{},"errors":["denied"]}`, `{"argument_error":"x"}`,
			`{"result":{"argumentError":"x"}}`,
		},
	},
	{
		operation.BlacklistList,
		map[string]string{
			`{"result":{"data":[]}}`: `{"data":[]}`, ` {"result" : [1, 2] , "x":1}`: `[1, 2]`, `{"result":"id"}`: `"id"`, `{"result":false}`: `false`, `{"result":{}}`: `{}`,
			`{"result":0,"argumentError":null}`: `0`,
		},
		[]string{`true`, `{}`, `[]`, `null`, token, `{"result":null}`, `{"data":[]}`, `[{"result":1}]`, `{"result":[],"error":"database"}`},
	},
	{
		operation.BlacklistRemove,
		map[string]string{`{"result":true}`: `true`, `{"result": true ,"x":false}`: `true`},
		[]string{`true`, `{}`, `[]`, `null`, `{"result":false}`, `{"result":null}`, `{"result":"true"}`, `{"result":1}`, `{"result":{}}`, `{"result":true,"error":"x"}`},
	},
	{
		operation.GroupDelete,
		map[string]string{`{}`: "", ` { } `: "", `[]`: "", `{"result":true}`: "", `{"result":null}`: "", `{"result":{}}`: "", `{"result":[]}`: ""},
		[]string{`true`, `null`, token, `[1]`, `{"x":1}`, `{"result":false}`, `{"result":"x"}`, `{"result":1}`, `{"result":{"a":1}}`, `{"result":true,"error":"x"}`},
	},
	{
		anyOperation,
		map[string]string{
			`true`: "", `null`: "", `17`: "", `[]`: "", `{}`: "", ` {"a":1} `: "", `{"result":1}`: "", token: "", ` "two words" `: `"two words"`, `"error"`: "", `""`: "",
			`{"error":"x"}`: "", `{"result":1,"error":""}`: "", `{"result":null,"errors":["x"]}`: "",
		},
		[]string{`{"result":1,"error":"x"}`},
	},
	{operation.ResultFace, nil, []string{`true`, `{}`, `[]`, `null`, token, `{"result":"x"}`, `[1]`}},
	{operation.VisualMarkers, nil, []string{`true`, `{}`, `[]`, `null`, token, `{"result":["data:image/png;base64,AAAA"]}`, `[1]`}},
}

func TestClassifyShapes(t *testing.T) {
	var covered []operation.Shape
	for _, s := range shapes {
		covered = append(covered, s.op.Shape)
		for body, want := range s.payload {
			if want == "" {
				want = body
			}
			for _, status := range []int{200, 201, 299} {
				payload, refusal := Classify(s.op, status, []byte(body))
				require.Nil(t, refusal, "%s %d %s", s.op.Name, status, body)
				assert.Equal(t, want, string(payload), "%s %s", s.op.Name, body)
			}
			// Only a 2xx status is a success.
			for _, status := range []int{100, 199, 300, 302, 400, 403, 500, 503} {
				payload, refusal := Classify(s.op, status, []byte(body))
				assert.Nil(t, payload)
				assert.Equal(t, &Refusal{Cause: ErrUnexpected}, refusal, "%s %d %s", s.op.Name, status, body)
			}
		}
		for _, body := range s.refused {
			payload, refusal := Classify(s.op, 200, []byte(body))
			assert.Nil(t, payload)
			assert.Equal(t, &Refusal{Cause: ErrUnexpected}, refusal, "%s %s", s.op.Name, body)
		}
	}
	for _, op := range operation.All() {
		assert.Contains(t, covered, op.Shape, "no test has the shape of %s", op.Name)
	}
}

func TestClassifyRefusals(t *testing.T) {
	for body, want := range map[string]Refusal{
		`"SESSION_NOT_FOUND"`:                       {Cause: ErrSessionNotFound, Code: "SESSION_NOT_FOUND"},
		` "session-not-found" `:                     {Cause: ErrSessionNotFound, Code: "session-not-found"},
		`"sessionnotfound"`:                         {Cause: ErrSessionNotFound, Code: "sessionnotfound"},
		`"Company_Key-Invalid"`:                     {Cause: ErrInvalidKey, Code: "Company_Key-Invalid"},
		`"NEW_CODE"`:                                {Code: "NEW_CODE"},
		`"NEWCODE"`:                                 {Code: "NEWCODE"},
		`"new-code"`:                                {Code: "new-code"},
		`"new\u002dcode"`:                           {Code: "new-code"},
		`{"argumentError":"wrong-parameters"}`:      {Cause: ErrWrongParameters, Code: "wrong-parameters"},
		`{"argumentE\u0072ror":"wrong-parameters"}`: {Cause: ErrWrongParameters, Code: "wrong-parameters"},
		` {"result":null, "argumentError" : "access-denied" } `:   {Cause: ErrInvalidKey, Code: "access-denied"},
		`{"argumentError":"not-found","errorSourceGroup":"a-b"}`:  {Cause: ErrNotFound, Code: "not-found", Group: "a-b"},
		`{"argumentError":"not-found","errorSourceGroup":"a b"}`:  {Cause: ErrNotFound, Code: "not-found"}, // not a code
		`{"argumentError":"not-found","errorSourceGroup":null}`:   {Cause: ErrNotFound, Code: "not-found"},
		`{"argumentError":"not-found","errorSourceGroup":[]}`:     {Cause: ErrNotFound, Code: "not-found"},
		`{"argumentError":"some-new-code"}`:                       {Code: "some-new-code"},
		`{"argumentError":"John Smith"}`:                          {Message: "John Smith"}, // text, not a code
		`{"argumentError":"John","errorSourceGroup":"G"}`:         {Message: "John", Group: "G"},
		`{"argumentError":{"code":"not-found"}}`:                  {},
		`{"argumentError":false}`:                                 {},
		`{"argumentError":""}`:                                    {},
		`{"argumentError":[]}`:                                    {},
		`{"internalError":"Illegal arguments: John"}`:             {Cause: ErrInternal, Message: "Illegal arguments: John"},
		`{"internalError":""}`:                                    {Cause: ErrInternal},
		`{"internalError":{"a":1}}`:                               {Cause: ErrInternal},
		`{"internalError":"not-found"}`:                           {Cause: ErrInternal, Message: "not-found"},
		`{"internalError":"x","argumentError":"not-found"}`:       {Cause: ErrInternal, Code: "not-found", Message: "x"},
		`{"result":"SESSION_NOT_FOUND"}`:                          {Cause: ErrSessionNotFound, Code: "SESSION_NOT_FOUND"},
		`{"result":"already-exists","errorSourceGroup":"server"}`: {Cause: ErrAlreadyExists, Code: "already-exists"}, // a lowercase word may be a person's name
		`{"result":true,"argumentError":"not-found"}`:             {Cause: ErrNotFound, Code: "not-found"},
		`{"result":"approved","internalError":"x"}`:               {Cause: ErrInternal, Message: "x"},
	} {
		for _, s := range shapes {
			for _, status := range []int{200, 204, 302, 400, 404, 429, 500, 503} {
				payload, refusal := Classify(s.op, status, []byte(body))
				assert.Nil(t, payload)
				require.NotNil(t, refusal, "%s %d %s", s.op.Name, status, body)
				want := want
				switch {
				case s.op == operation.SessionBegin && Cause(want.Code) == nil: // an unknown code may be a token
					want.Message, want.Code, want.Group = want.Message+want.Code, "", ""
				case s.op == operation.Passport && want.Cause == nil && strings.HasPrefix(body, `"`) && (status < 300 || status == 400):
					want.Cause = ErrImageRefused
				}
				assert.Equal(t, want, *refusal, "%s %d %s", s.op.Name, status, body)
			}
		}
	}
}

// If a document endpoint responds with a string that is not a known error, the image is refused.
func TestClassifyImageRefusals(t *testing.T) {
	for _, op := range []*operation.Operation{operation.Passport, operation.CardFront, operation.CompareFaces} {
		for body, want := range map[string]Refusal{
			`"DOCUMENT_BLURRY"`: {Cause: ErrImageRefused, Code: "DOCUMENT_BLURRY"}, `"documentNotReadable"`: {Cause: ErrImageRefused, Code: "documentNotReadable"},
			`"blurry"`: {Cause: ErrImageRefused, Code: "blurry"}, `"1001"`: {Cause: ErrImageRefused, Code: "1001"}, `"COMPANY_KEY_INVALID"`: {Cause: ErrInvalidKey, Code: "COMPANY_KEY_INVALID"},
			`"DOCUMENT_SPOOFING_DETECTED2"`: {Cause: ErrImageRefused, Code: "DOCUMENT_SPOOFING_DETECTED2"},
			`"too dark, John"`:              {Cause: ErrImageRefused, Message: "too dark, John"}, `"12345"`: {Cause: ErrImageRefused, Code: "12345"}, `"123456"`: {Cause: ErrImageRefused, Message: "123456"}, `""`: {Cause: ErrImageRefused},
			token: {Cause: ErrImageRefused, Message: strings.Trim(token, `"`)},
		} {
			for _, status := range []int{200, 400, 422} {
				_, refusal := Classify(op, status, []byte(body))
				require.NotNil(t, refusal, body)
				assert.Equal(t, want, *refusal, "%s %d %s", op.Name, status, body)
				assert.Equal(t, want.Cause == ErrInvalidKey, refusal.NotProcessed(status), "a refused image may be billed")
			}
		}
		for status, want := range map[int]error{302: ErrUnexpected, 401: ErrUnexpected, 403: ErrUnexpected, 404: ErrUnexpected, 429: ErrRateLimited, 500: ErrUnexpected, 503: ErrUnexpected} {
			_, refusal := Classify(op, status, []byte(`"try again"`))
			assert.Equal(t, &Refusal{Cause: want}, refusal, status)
		}
	}
}

func TestClassifyUnexpected(t *testing.T) {
	bodies := []string{
		"", " \r\n", "<html>Sign in</html>", "not found", "SESSION_NOT_FOUND", "session-not-found", "tru", "nul", `{"result":"approved"`, `{"result":true}{}`, `{"result":true} x`,
		`{"argumentError":"session-not-found"} x`, `{"argumentError":"session-not-found"}{}`, `"SESSION_NOT_FOUND" x`, `"SESSION_NOT_FOUND""x"`,
		`{"result":true,}`, `{'result':true}`, "\xef\xbb\xbf", "\xef\xbb\xbf\xef\xbb\xbf{}", " \xef\xbb\xbf{}", "\x00", `"`, `{"result":NaN}`, strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000),
	}
	// A duplicate or differently cased key could mean two things to two parsers.
	for _, rest := range []string{`"result":"approved"`, `"result":true`, `"result":{"id":"1"}`, `"x":1`} {
		for _, ambiguous := range []string{
			`"result":"rejected"`, `"Result":"rejected"`, `"RESULT":true`, `"re\u017fult":1`, `"res\u0055lt":true`,
			`"argumentError":"not-found","argumentError":null`, `"argumentError":null,"argumentError":null`, `"ARGUMENTERROR":null`, `"argumenterror":"x"`, `"argumentE\u0052ror":"x"`,
			`"internalError":"x","internalError":null`, `"InternalError":"x"`, `"errorSourceGroup":"A","errorSourceGroup":"B"`, `"ErrorSourceGroup":"A"`,
		} {
			if !strings.HasPrefix(rest, `"result"`) && strings.HasPrefix(ambiguous, `"result"`) {
				continue // only one "result" key
			}
			bodies = append(bodies, `{`+rest+`,`+ambiguous+`}`, `{`+ambiguous+`,`+rest+`}`)
		}
	}
	for _, body := range bodies {
		for _, s := range shapes {
			for status, want := range map[int]error{200: ErrUnexpected, 302: ErrUnexpected, 404: ErrUnexpected, 429: ErrRateLimited, 500: ErrUnexpected} {
				if status == 404 && s.op.Shape.IsMedia() {
					want = ErrNotFound // production sends a 404 for media that the session does not have
				}
				payload, refusal := Classify(s.op, status, []byte(body))
				assert.Nil(t, payload)
				assert.Equal(t, &Refusal{Cause: want}, refusal, "%s %d %.80s", s.op.Name, status, body)
				assert.False(t, refusal.NotProcessed(status))
			}
		}
	}
}

func TestClassifyBoundsValues(t *testing.T) {
	for _, element := range []string{"0", "{}", "[]", `{"a":1}`} {
		perElement := 1 + strings.Count(element, "{") + strings.Count(element, "[") // 1 for the comma
		body := func(values int) []byte {
			return []byte(`{"result":[` + element + strings.Repeat(","+element, values/perElement) + `]}`)
		}
		payload, refusal := Classify(operation.BlacklistList, 200, body(maxValues-10))
		require.Nil(t, refusal, element)
		assert.NotEmpty(t, payload)
		payload, refusal = Classify(operation.BlacklistList, 200, body(maxValues+10))
		assert.Nil(t, payload)
		assert.Equal(t, &Refusal{Cause: ErrTooLarge}, refusal, element)
		_, refusal = Classify(operation.GroupDelete, 200, body(maxValues+10))
		assert.Equal(t, &Refusal{Cause: ErrUnexpected}, refusal, "the shape takes precedence")
	}
}

func TestNotProcessed(t *testing.T) {
	for _, c := range []struct {
		body   string
		status int
		want   bool
	}{
		{`"COMPANY_KEY_INVALID"`, 200, true}, {`"COMPANY_KEY_INVALID"`, 403, true}, {`{"argumentError":"wrong-parameters"}`, 400, true},
		{`{"argumentError":"wrong-parameters"}`, 500, false}, {`"COMPANY_KEY_INVALID"`, 503, false},
		{`{"argumentError":"some-new-code"}`, 200, false}, {`"PROCESSING"`, 200, false}, {`{"argumentError":"John"}`, 200, false},
		{`{"internalError":"x"}`, 200, false}, {`{"internalError":"x","argumentError":"wrong-parameters"}`, 200, false},
		{``, 200, false}, {`<html>`, 404, false}, {``, 429, false},
	} {
		_, refusal := Classify(operation.SessionBegin, c.status, []byte(c.body))
		require.NotNil(t, refusal, c.body)
		assert.Equal(t, c.want, refusal.NotProcessed(c.status), "%d %s", c.status, c.body)
	}
}

func TestCause(t *testing.T) {
	for code, want := range map[string]error{
		"session-not-found": ErrSessionNotFound, "session-invalid": ErrSessionInvalid, "wrong-parameters": ErrWrongParameters, "invalid-access": ErrInvalidKey,
		"invalid-company-key": ErrInvalidKey, "company-missing": ErrInvalidKey, "access-denied": ErrInvalidKey, "company-key-invalid": ErrInvalidKey,
		"face-photo-not-found": ErrFacePhotoNotFound, "not-found": ErrNotFound, "already-exists": ErrAlreadyExists, "invalid-email-format": ErrInvalidEmailFormat,
		"password-too-short": ErrPasswordTooShort, "invalid-rights": ErrInvalidRights, "user-already-exists": ErrUserAlreadyExists,
	} {
		underscored := strings.ReplaceAll(code, "-", "_")
		for _, spelling := range []string{
			code, underscored, strings.ToUpper(code), strings.ToUpper(underscored), strings.ReplaceAll(code, "-", ""), "-" + code + "_", strings.Replace(code, "-", "_", 1),
		} {
			assert.Same(t, want, Cause(spelling), spelling)
		}
		for _, other := range []string{code + "s", "x" + code, code + " ", strings.ReplaceAll(code, "-", " "), code[1:]} {
			assert.NoError(t, Cause(other), other)
		}
	}
	assert.NoError(t, Cause(""))
}

func TestIsRefusal(t *testing.T) {
	for body, want := range map[string]bool{
		`{"result":["data:image/png;base64,AAAA"]}`: false, `{"result":[]}`: false, `{}`: false, `{"argumentError":null}`: false, `[]`: false,
		`{"argumentError":"not-found"}`: true, `{"internalError":"x"}`: true, `{"result":"SESSION_NOT_FOUND"}`: true,
		`{"result":[],"result":[]}`: true, `{"Result":[]}`: true, `{"result":["x"],"argumentError":"x"}`: true,
		`{1:2}`: true, `{"":1}`: false, `{:1}`: true, `{"`: false, // not JSON
		`{"result":["data:image/png;base64,AAAA`: false, `{"argumentError":"not-fo`: true, // truncated responses
	} {
		assert.Equal(t, want, IsRefusal([]byte(body)), body)
	}
}

func TestIsTokenCodeOrID(t *testing.T) {
	const isToken, isCode, isID = 1, 2, 4
	for s, want := range map[string]int{
		"47fjzxvvzapi4ztasth3c2ozfucli3l0qx13hisc": isToken | isID, "abcdefghijklmnopqrstuvwxyzabcdefghijklmn": isToken | isID, "abcdefghijklmnopqrstuvwxyzabcdefghijklm": isID, strings.Repeat("1234", 10): isID,
		"Abcdefghijklmnopqrstuvwxyzabcdefghijklmn": isID, "abcdefghijklmnopqrstuvwxyz-bcdefghijklmn": isCode | isID,
		"abc123xyz": isToken | isID, "abc12xyz": isToken | isID, "abc12xy": isID, "ABC123XYZ": isToken, "a1-b-c-d": isToken | isID, "A1B2C3D4-E5": isToken, "ABC-123-XYZ": isCode, "12345678": isID,
		"47FJZXVVZAPI4ZTASTH3C2OZFUCLI3L0QX13HISC": isToken | isID, "error1001": isID, "HTTP404ERROR": isCode, "HTTP2-PROTOCOL-ERROR": isCode, "internalServerError500": isID,
		"error" + strings.Repeat("a1", 13): isID, "error" + strings.Repeat("a1", 13) + "b": isToken | isID, "page12345": isToken | isID,
		"ab_c123xyz": isID, "ERROR_1001": isCode, "HTTP2_ERROR": isCode, "2024-01-15": isID,
		"550e8400-e29b-41d4-a716-446655440000": isToken | isID, "a.b~c-d_1234567890": 0, strings.Repeat("a1b2", 64): isToken | isID,
		strings.Repeat("a1b2", 65): 0, "a1b2c3d4e5f6g7h": isToken | isID, "64ad3b14090678e34512eab8": isToken | isID,
		"1": isID, "id": isID, "r1": isID, "user_id": isCode | isID, "some-new-code": isCode | isID, "a.b": isID,
		"SESSION_NOT_FOUND": isCode, "session-not-found": isCode, "NOTFOUND": isCode, "notfound": isCode, "NEW_CODE": isCode, "NEWCODE": isCode, "CODE_42": isCode,
		"config-v2-missing": isID, "quota-exceeded-24h": isID, "sha256-mismatch": isID, "a1b2c3d4-wxyz": isID, "a1b2c3d4-xyz": isToken | isID,
		"abcd-a1" + strings.Repeat("b", 24): isID, "abcd-a1" + strings.Repeat("b", 25): isToken | isID,
		"error-500": isID, "A1B2C3D4E5F6G7H8I9J0": isToken, "A": isCode, "_": isCode,
		strings.Repeat("a1", 128): isToken | isID, strings.Repeat("a1", 128) + "a": 0, strings.Repeat("A", 256): isCode, strings.Repeat("A", 257): 0,
		"": 0, " ": 0, "two words": 0, "<html>": 0, "a/b": 0, "a\x00b": 0, "სია": 0, "a~b": 0, "data:image/png": 0, "-": isCode, "é-a": 0,
	} {
		got := 0
		for bit, is := range map[int]bool{isToken: IsToken([]byte(s)), isCode: IsCode(s), isID: IsID(s)} {
			if is {
				got |= bit
			}
		}
		assert.Equal(t, want, got, "%q", s)
	}
}

func TestIsMedia(t *testing.T) {
	const jpeg, png, pdf, binary = "\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01", "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", "\x00\x01\x02\x03"
	labels := []string{"", "image/jpeg", "application/octet-stream", "application/pdf", "application/json", "text/html", "text/plain", "application/xml", "video/x-new"}
	for head, accepted := range map[string][]string{
		// Known formats are recognized by the bytes, whatever the Content-Type.
		jpeg: labels, png: labels, pdf: labels, "\x00\x00\x00\x18ftypheic\x00\x00\x00\x00": labels, "II*\x00\x08\x00\x00\x00\x01": labels,
		strings.Repeat("x", 257) + "ustar\x0000" + strings.Repeat("\x00", 249): labels,
		// Unknown binary formats are media unless the Content-Type names text or a known format.
		binary: {"", "video/x-new", "application/octet-stream"}, "OTTO\x00\x01": {"", "video/x-new", "application/octet-stream"},
		// A Content-Type with a detectable format must match the bytes. A server's warning is not media.
		"Warning: x on line 3\n" + jpeg: nil, "Notice: y\r\n" + binary: nil, binary + "\n": {"", "video/x-new", "application/octet-stream"},
		"a line\n" + pdf: {"application/pdf"}, "a line\n%PDF-1.4\n": {"application/pdf"},
		"": nil, " \r\n": nil, `{"argumentError":"not-found"}`: nil, "\x00{\x00}": nil, "\xff\xfe{\x00}\x00": nil, "\xef\xbb\xbf<html>": nil, `"SESSION_NOT_FOUND"`: nil,
		"SESSION_NOT_FOUND": nil, "S\x00E\x00S\x00S\x00I\x00O\x00N\x00_X": nil, "\x1f\x8b\x08" + binary: nil, "<html>": nil, "<?xml version=\"1.0\"?>": nil,
		"[1]": nil, "not found": nil, "შეცდომა": nil, "%!PS-Adobe-3.0\n": nil, "GIF89a is a text": nil, "BM is a text": nil, "{" + jpeg: nil,
	} {
		for _, label := range labels {
			assert.Equal(t, slices.Contains(accepted, label), IsMedia([]byte(head), label), "%.30q as %q", head, label)
		}
	}
}

func TestIsErrorText(t *testing.T) {
	for head, want := range map[string]bool{
		`{`: true, ` [1`: true, `"x`: true, "<p>": true, "\xef\xbb\xbf\r\n{": true, "\x00{": true, "\xff\xfe<\x00h\x00": false, "SESSION_NOT_FOUND": true, "session-not-found": true,
		"N\x00E\x00W\x00_\x00C\x00O\x00D\x00E\x00": true, "": false, " ": false, "words of a text": false, "BAD": false, // too short to distinguish from binary data
		"\xff\xd8\xff\xe0": false, "%PDF-1.4": false, "\x00\x01": false, "\x89PNG\r\n\x1a\n{": false,
	} {
		assert.Equal(t, want, IsErrorText([]byte(head)), "%q", head)
	}
}

func TestSample(t *testing.T) {
	for body, want := range map[string]string{
		"": "empty response", " \r\n": "empty response", "null": "null", " true ": "true", "false": "false", "17": "2 bytes", "NaN": "3 bytes",
		`{"result":"approved","person":{"first_name":"John"}}`: `52 bytes: {"result":"…","person":{"…":"…"}}`,
		`{"argumentError" : 17, "code":[true, null, -1.5e3]}`:  `51 bytes: {"argumentError":…,"code":[…,…,…]}`,
		`["result", {"result": 1}]`:                            `25 bytes: ["…",{"result":…}]`, // an allowed name is not shown as a value
		`{"Result":1,"message ":2}`:                            `25 bytes: {"…":…,"…":…}`,
		`"John Smith"`:                                         `12 bytes: "…"`,
		`{"result":"app`:                                       `14 bytes: {"result":"…"`,
		`{"a":"\"John\\"`:                                      `15 bytes: {"…":"…"`,
		`{result: John Smith}`:                                 `20 bytes: {…:……}`,
		`{"result"; John}`:                                     `16 bytes: {"…" … not JSON`,
		`[` + strings.Repeat("1,", 100) + `1]`:                 `203 bytes: […,…,…,`,
		"<html><title>502 Bad Gateway</title>John Smith":       "46 bytes: html bad gateway",
		"<h1>Not Found</h1> NOT found John":                    "33 bytes: not found not found",
		"error error Error":                                    "17 bytes: error",
		"John Smith, 1980-01-08":                               "22 bytes",
		strings.Repeat("bad request ", 10):                     "119 bytes: " + strings.TrimSpace(strings.Repeat("bad request ", 6)),
	} {
		got := Sample([]byte(body))
		if strings.HasPrefix(body, "[1,") {
			assert.True(t, strings.HasPrefix(got, want), got)
			assert.True(t, strings.HasSuffix(got, "…"), got)
			assert.Less(t, len(got), maxSample+50)
			continue
		}
		assert.Equal(t, want, got, "%.60q", body)
	}
}

// TestSampleShowsNoValue samples every prefix of responses with personal data.
func TestSampleShowsNoValue(t *testing.T) {
	const personal = "Wilhelmina"
	for _, format := range []string{
		`{"result":"%[1]s","%[1]s":["%[1]s",{"message":"%[1]s \"%[1]s"}],"x":%[1]s}`, `"%[1]s"`, `[%[1]s]`, `<html>%[1]s error %[1]s</html>`, `%[1]s`, `{"message":'%[1]s'}`,
	} {
		body := fmt.Sprintf(format, personal)
		for n := range len(body) + 1 {
			assert.NotContains(t, Sample([]byte(body[:n])), "Wil", body[:n])
		}
	}
	// Sample reads only the first 4 KiB.
	assert.Equal(t, "5007 bytes", Sample([]byte(strings.Repeat("x", 5000)+" denied")))
}
