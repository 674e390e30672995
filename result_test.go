package identomat_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
)

func decode(t testing.TB, data string) *identomat.Result {
	t.Helper()
	var result identomat.Result
	require.NoError(t, json.Unmarshal([]byte(data), &result))
	return &result
}

func TestApprovedSample(t *testing.T) {
	r := decode(t, sample(t, "result-sessionapproved.json"))
	assert.True(t, r.Approved())
	assert.Equal(t, identomat.OutcomeApproved, r.Outcome)
	assert.InDelta(t, 0.9027283530404249, *r.Similarity, 0)
	assert.False(t, *r.Live)
	assert.Equal(t, identomat.IDCard, r.DocumentType)
	assert.Empty(t, r.RejectReason.Value)
	assert.Equal(t, 1, r.FaceImages)
	assert.Equal(t, "John", r.Person.FirstName)
	assert.Equal(t, "+1234567890", r.Person.PhoneNumber)
	assert.Equal(t, 45, r.Person.Age)
	birthday, err := r.Person.Birthday.Time()
	require.NoError(t, err)
	birthdayTime, err := r.Person.BirthdayTime.Time()
	require.NoError(t, err)
	assert.Equal(t, time.Date(1980, time.January, 8, 0, 0, 0, 0, time.UTC), birthday)
	assert.Equal(t, birthday, birthdayTime)
	assert.Equal(t, "John", r.IDCardFront.Text(identomat.DocFieldGivenNames))
	assert.Equal(t, "USA", r.IDCardFront.Text(identomat.DocFieldCitizenship))
	assert.Equal(t, "1980-01-08T00:00:00.000Z", r.IDCardBack.Text(identomat.DocFieldDateOfBirthISO))
	assert.Empty(t, r.IDCardFront.TextIn(identomat.DocFieldGivenNames, "ka_GE"))
	page := r.GeneralDocuments[0].Pages[0]
	assert.Equal(t, identomat.UtilityBill, r.GeneralDocuments[0].TypeID)
	assert.Equal(t, "Bank of America, NA", page.Final.Authority)
	assert.InDelta(t, -118.243683, *page.Final.Longitude, 0)
	assert.Equal(t, "John Doe", r.Answer("agreement", "question1").Text())
	assert.Equal(t, []string{"option1", "option2"}, r.Answer("agreement", "question3").Choices())
	number, ok := r.Answer("agreement", "question5").Number()
	assert.True(t, ok)
	assert.InDelta(t, 1, number, 0)
	assert.False(t, r.Answer("agreement", "question4").Exists())
	assert.InDelta(t, 34.05221168293059, *r.Geolocation[0].Latitude, 0)
	assert.Equal(t, "192.168.1.1", r.TechnicalDetails.RemoteAddress)
	assert.Empty(t, r.Extra())
}

func TestRejectedSample(t *testing.T) {
	r := decode(t, sample(t, "result-sessionrejected.json"))
	assert.False(t, r.Approved())
	assert.Equal(t, identomat.OutcomeRejected, r.Outcome)
	assert.Equal(t, identomat.RejectReason{Value: "low_similarity", Description: "Low similarity"}, r.RejectReason)
	assert.Equal(t, []string{"LOW_SIMILARITY"}, r.Errors)
	assert.True(t, *r.Live)
	assert.Equal(t, "Department of State", r.Person.Authority)
	assert.Empty(t, r.Extra())
}

// TestResultDropsNoFieldOfSamples changes each value in a sample in turn. Each change must change the
// decoded result.
func TestResultDropsNoFieldOfSamples(t *testing.T) {
	for _, name := range []string{"result-sessionapproved.json", "result-sessionrejected.json"} {
		assert.Greater(t, changeEachLeaf(t, name, func(text string) string { return typed(decode(t, text)) }), 90)
	}
}

// typed returns a result's exported fields and what its answers' accessors return, as text. It leaves
// out Raw.
func typed(r *identomat.Result) string {
	var out strings.Builder
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Pointer, reflect.Interface:
			if v.IsNil() {
				out.WriteString("nil;")
				return
			}
			walk(v.Elem())
		case reflect.Struct:
			if a, ok := v.Interface().(identomat.Answer); ok {
				n, _ := a.Number()
				fmt.Fprintf(&out, "%s %q %v;", a.Text(), a.Choices(), n)
				return
			}
			for i := range v.NumField() {
				if f := v.Type().Field(i); f.IsExported() {
					fmt.Fprintf(&out, "%s=", f.Name)
					walk(v.Field(i))
				}
			}
		case reflect.Slice:
			if raw, ok := v.Interface().(json.RawMessage); ok {
				fmt.Fprintf(&out, "%s;", raw)
				return
			}
			fmt.Fprintf(&out, "%d:", v.Len())
			for i := range v.Len() {
				walk(v.Index(i))
			}
		case reflect.Map:
			keys := v.MapKeys()
			slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
			for _, k := range keys {
				fmt.Fprintf(&out, "%s=", k)
				walk(v.MapIndex(k))
			}
		default:
			fmt.Fprintf(&out, "%v;", v.Interface())
		}
	}
	walk(reflect.ValueOf(r).Elem())
	return out.String()
}

func TestApprovedNeedsExactOutcome(t *testing.T) {
	for wire, want := range map[string]identomat.Outcome{
		"approved": "approved", "APPROVED": "approved", "Approved": "approved", "aPPROVED": "approved",
		"rejected": "rejected", "REJECTED": "rejected", "MANUAL_CHECK": "manual_check", "In_Progress": "in_progress",
		"approved ": "approved ", " approved": " approved", "approved\\u0000": "approved\x00", "approve": "approve",
		"pre_approved": "pre_approved", "ＡPPROVED": "ＡPPROVED", "DISAGREED_WITH_TERMS": "DISAGREED_WITH_TERMS", "true": "true",
	} {
		r := decode(t, `{"result":"`+wire+`"}`)
		assert.Equal(t, want, r.Outcome)
		assert.Equal(t, want == "approved", r.Approved(), wire)
	}
	assert.False(t, (*identomat.Result)(nil).Approved())
	assert.False(t, (&identomat.Result{}).Approved())
	for _, wire := range []string{`true`, `1`, `{"value":"approved"}`, `["approved"]`, `null`, `""`} {
		var r identomat.Result
		require.Error(t, json.Unmarshal([]byte(`{"result":`+wire+`}`), &r), wire)
		assert.False(t, r.Approved(), wire)
	}
}

func TestProductionSpellings(t *testing.T) {
	r := decode(t, `{"result":"approved","similarity":0,"document_type":"","live":null,
		"person":{"phone":"+995","local_middle_name":"ა","local_authority":"b","local_address":"c","document_issued_time":"2021-06-28T00:00:00"},
		"general_document":[{"pages":[{"final":{"issuingAuthority":"Telasi","documentExpires":"","registrationNumber":"R1","sublocality":"S","houseNumber":null,"postalTown":null,"localType":"ROOFTOP"}}]}],
		"id_card_front":{"Given_Names_en_US":"Nino","Given_Names_ka_GE":"ნინო","localMiddleName":"მ"},
		"reject_reason":null,"configId":"62412c096c4b39ba845d4bf2","trustedDatabaseRecord":{"a":1},
		"screeningMatches":[{"score":87.5,"name":"N","personId":"p1","reviewStatus":"new"}]}`)
	require.NotNil(t, r.Similarity)
	assert.Zero(t, *r.Similarity)
	assert.Nil(t, r.Live)
	assert.Equal(t, "+995", r.Person.PhoneNumber)
	assert.Equal(t, []string{"ა", "b", "c"}, []string{r.Person.LocalMiddleName, r.Person.LocalAuthority, r.Person.LocalAddress})
	final := r.GeneralDocuments[0].Pages[0].Final
	assert.Equal(t, []string{"Telasi", "R1", "S", "ROOFTOP"}, []string{final.Authority, final.RegistrationNumber, final.Sublocality, final.LocalType})
	assert.Equal(t, "ნინო", r.IDCardFront.TextIn(identomat.DocFieldGivenNames, "ka_GE"))
	assert.Equal(t, "Nino", r.IDCardFront.Text(identomat.DocFieldGivenNames))
	assert.Equal(t, "მ", r.IDCardFront.Text(identomat.DocFieldMiddleName))
	assert.Equal(t, "62412c096c4b39ba845d4bf2", r.ConfigID)
	assert.JSONEq(t, `{"a":1}`, string(r.TrustedDatabaseRecord))
	assert.InDelta(t, 87.5, r.ScreeningMatches[0].Score, 0)
	assert.Empty(t, r.Extra())
}

func TestEmptyArrayIsEmptyObject(t *testing.T) {
	r := decode(t, `{"result":"approved","person":[],"suggested":[],"id_card_front":[],"reject_reason":[],"technicalDetails":[],
		"generalDocuments":{},"questionnaires":[{"key":"q","questions":[[],{"key":"k","answer":[]}]}],"similarity":0.5}`)
	assert.True(t, r.Approved())
	assert.Empty(t, r.Person.FirstName)
	assert.Empty(t, r.IDCardFront)
	assert.InDelta(t, 0.5, *r.Similarity, 0)
	assert.True(t, r.Answer("q", "k").Exists())
}

func TestMistypedFieldHidesNoOther(t *testing.T) {
	r := decode(t, `{"result":"rejected","similarity":"high","face_images":2.0,"live":"yes","errors":"X","name":17,
		"person":{"first_name":true,"age":"45","last_name":{"a":1},"sex":"F"},
		"geolocation":[{"latitude":"north","longitude":1}],"screeningMatches":{"0":1}}`)
	assert.Equal(t, identomat.OutcomeRejected, r.Outcome)
	assert.Nil(t, r.Similarity)
	assert.Equal(t, 2, r.FaceImages)
	assert.Equal(t, "17", r.Name)
	assert.Equal(t, "true", r.Person.FirstName)
	assert.Empty(t, r.Person.LastName)
	assert.Equal(t, "F", r.Person.Sex)
	assert.Nil(t, r.Geolocation[0].Latitude)
	assert.InDelta(t, 1, *r.Geolocation[0].Longitude, 0)
}

func TestEmptyValueDoesNotHideAlias(t *testing.T) {
	r := decode(t, `{"result":"approved","generalDocuments":[],"general_document":[{"typeId":"utility_bill"}],"person":{"phone":"1","phoneNumber":""}}`)
	require.Len(t, r.GeneralDocuments, 1)
	assert.Equal(t, "1", r.Person.PhoneNumber)
	r = decode(t, `{"result":"approved","person":{"phone":"1","phoneNumber":"2"}}`)
	assert.Equal(t, "2", r.Person.PhoneNumber)
}

func TestUnmarshalReplacesResultAndCopiesData(t *testing.T) {
	data := []byte(`{"result":"approved","name":"first","questionnaires":[{"key":"q","questions":[{"key":"k","answer":"a"}]}]}`)
	var r identomat.Result
	require.NoError(t, json.Unmarshal(data, &r))
	copy(data, bytes.Repeat([]byte("x"), len(data)))
	assert.Equal(t, "a", r.Answer("q", "k").Text())
	assert.Contains(t, string(r.Raw()), "first")
	require.NoError(t, json.Unmarshal([]byte(`{"result":"rejected"}`), &r))
	assert.Empty(t, r.Name)
	assert.Equal(t, identomat.OutcomeRejected, r.Outcome)
	var none *identomat.Result
	assert.False(t, none.Answer("q", "k").Exists())
	assert.Nil(t, none.Raw())
	assert.Empty(t, none.Extra())
}

func TestAnswerTextPrefersEnglish(t *testing.T) {
	r := decode(t, `{"result":"approved","questionnaires":[{"key":"q","questions":[{"key":"k","answer":{"az":"Bəli","en":"Yes"}}]}]}`)
	assert.Equal(t, "Yes", r.Answer("q", "k").Text())
}

func TestDocFieldNamesOccurInSamples(t *testing.T) {
	var all string
	entries, err := os.ReadDir("testdata/samples")
	require.NoError(t, err)
	for _, entry := range entries {
		if !entry.IsDir() {
			all += sample(t, entry.Name())
		}
	}
	for _, name := range []string{
		identomat.DocFieldGivenNames, identomat.DocFieldSurname, identomat.DocFieldSex, identomat.DocFieldDateOfBirth,
		identomat.DocFieldDateOfIssue, identomat.DocFieldDateOfExpiry, identomat.DocFieldDateOfBirthISO, identomat.DocFieldDateOfIssueISO,
		identomat.DocFieldDateOfExpiryISO, identomat.DocFieldPlaceOfBirth, identomat.DocFieldNationality, identomat.DocFieldNationalityCode,
		identomat.DocFieldCitizenship, identomat.DocFieldPersonalNumber, identomat.DocFieldDocumentNumber, identomat.DocFieldIssuingStateCode,
		identomat.DocFieldAuthority, identomat.DocFieldLocalAuthority, identomat.DocFieldAddress, identomat.DocFieldLocalAddress,
		identomat.DocFieldLicenseClass, identomat.DocFieldMRZ,
	} {
		assert.Truef(t, strings.Contains(all, `"`+name+`"`) || strings.Contains(all, `"`+name+`_en_US"`), "no sample has %s", name)
	}
}

func TestResultExtra(t *testing.T) {
	const text = `{"result":"approved","new":{"a":1},"person":{"eye_color":"green","first_name":"J"},"generalDocuments":[{"pages":[{"final":{"x":2}}]}]}`
	r := decode(t, text)
	assert.Equal(t, text, string(r.Raw()))
	got := map[string]string{}
	for path, raw := range r.Extra() {
		got[path] = string(raw)
	}
	assert.Equal(t, map[string]string{"new": `{"a":1}`, "person.eye_color": `"green"`, "generalDocuments[0].pages[0].final.x": "2"}, got)

	// Raw must decode to the same result.
	assert.Equal(t, typed(r), typed(decode(t, string(r.Raw()))))
}

func TestAnswerAccessors(t *testing.T) {
	r := decode(t, `{"result":"approved","questionnaires":[{"key":"other","questions":[{"key":"text","answer":"wrong step"}]},{"key":"q","questions":[
		{"key":"text","answer":"John Doe"},{"key":"number","answer":12.50},{"key":"yes","answer":true},{"key":"list","answer":["a","b"]},
		{"key":"languages","answer":{"ka":"კი","en":"Yes"}},{"key":"georgian","answer":{"ka":"კი"}},{"key":"null","answer":null},{"key":"absent"}]}]}`)
	for key, want := range map[string]struct {
		text    string
		choices []string
		exists  bool
	}{
		"text": {"John Doe", []string{"John Doe"}, true}, "number": {"12.50", nil, true}, "yes": {"true", nil, true},
		"list": {"", []string{"a", "b"}, true}, "languages": {"Yes", nil, true}, "georgian": {"კი", nil, true},
		"null": {"", nil, false}, "absent": {"", nil, false}, "unknown": {"", nil, false},
	} {
		a := r.Answer("q", key)
		assert.Equal(t, want.text, a.Text(), key)
		assert.Equal(t, want.exists, a.Exists(), key)
		if want.exists {
			assert.Equal(t, want.choices, a.Choices(), key)
		}
	}
	yes, ok := r.Answer("q", "yes").Bool()
	assert.True(t, yes && ok)
	_, ok = r.Answer("q", "null").Bool()
	assert.False(t, ok)
	_, ok = r.Answer("q", "text").Number()
	assert.False(t, ok)
	assert.Equal(t, identomat.Text{"ka": "კი", "en": "Yes"}, r.Answer("q", "languages").Languages())
	assert.Nil(t, r.Answer("q", "text").Languages())
	assert.Equal(t, "12.50", string(r.Answer("q", "number").Raw()))
}

func TestDateNotations(t *testing.T) {
	day := time.Date(1980, time.January, 8, 0, 0, 0, 0, time.UTC)
	for text, want := range map[identomat.Date]time.Time{
		"1/8/1980": day, "01/08/1980": day, "1980-01-08": day, "1980-01-08T00:00:00Z": day,
		"1980-01-08T00:00:00.000Z": day, "1980-01-08T00:00:00": day, "1980-01-08T00:00:00.000": day,
		"1980-01-08T04:00:00+04:00": day, "1980-01-08T04:00:00+0400": day, "1980-01-08T04:00:00.000+04": day,
		"1980-01-08 00:00:00": day, "1980-01-08 00:00:00.000Z": day, "1980-01-08 04:00:00+04:00": day,
		"12/31/1999": time.Date(1999, time.December, 31, 0, 0, 0, 0, time.UTC),
	} {
		got, err := text.Time()
		require.NoError(t, err, text)
		assert.True(t, want.Equal(got), "%s: %s", text, got)
	}
	for _, text := range []identomat.Date{"", "31/12/1999", "1/8/80", "8 January 1980", "1980-13-01", "0000-00-00"} {
		_, err := text.Time()
		require.Error(t, err)
		if text != "" {
			assert.NotContains(t, err.Error(), string(text))
		}
	}
}

func TestWaitPollsUntilOutcome(t *testing.T) {
	for _, outcome := range []string{"approved", "REJECTED", "manual_check", "disagreed", "APPROVED_LATER"} {
		synctest.Test(t, func(t *testing.T) {
			var polls []time.Time
			client := stubbed(t, func(*http.Request) (*http.Response, error) {
				if polls = append(polls, time.Now()); len(polls) < 8 {
					return newResponse(200, `{"result":"in_progress"}`), nil
				}
				return newResponse(200, `{"result":"`+outcome+`"}`), nil
			})
			result, err := client.Sessions.Wait(t.Context(), token)
			require.NoError(t, err)
			assert.Equal(t, strings.ToLower(outcome), strings.ToLower(string(result.Outcome)))
			require.Len(t, polls, 8)
			for i := 1; i < len(polls); i++ {
				assert.GreaterOrEqual(t, polls[i].Sub(polls[i-1]), time.Second)
				assert.LessOrEqual(t, polls[i].Sub(polls[i-1]), 15*time.Second)
			}
		})
	}
}

func TestWaitDeadlineReturnsLastResult(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := stubbed(t, func(*http.Request) (*http.Response, error) {
			return newResponse(200, `{"result":"in_progress","name":"last"}`), nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		result, err := client.Sessions.Wait(ctx, token)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NotNil(t, result)
		assert.Equal(t, "last", result.Name)
		assert.False(t, result.Approved())
		assert.Equal(t, time.Minute, time.Since(start))
	})
}

func TestWaitDeadlineErrorIsOneLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := stubbed(t, func(*http.Request) (*http.Response, error) {
			return newResponse(503, ""), nil
		}, identomat.WithRetry(identomat.RetryPolicy{MaxAttempts: 1}))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		_, err := client.Sessions.Wait(ctx, token)
		require.EqualError(t, err, "identomat: result/: context deadline exceeded; last poll: identomat: result/: unexpected response (HTTP 503): empty response")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, identomat.ErrUnexpectedResponse)
	})
}

func TestWaitSurvivesOnlyTemporaryErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var script []string
		sent := 0
		client := stubbed(t, func(*http.Request) (*http.Response, error) {
			body := script[min(sent, len(script)-1)]
			sent++
			switch body {
			case "503":
				return newResponse(503, ""), nil
			case "429":
				return newResponse(429, "", "Retry-After", "90"), nil
			case "429 until tomorrow":
				return newResponse(429, "", "Retry-After", "86400"), nil
			case "reset":
				return nil, fmt.Errorf("connection reset")
			}
			return newResponse(200, body), nil
		}, identomat.WithRetry(identomat.RetryPolicy{MaxAttempts: 1}))

		start := time.Now()
		script = []string{`{"result":"in_progress"}`, "503", "reset", "429", "503", `{"result":"in_progress"}`, "503", "reset", `{"result":"approved"}`}
		result, err := client.Sessions.Wait(t.Context(), token)
		require.NoError(t, err)
		assert.True(t, result.Approved())
		assert.Greater(t, time.Since(start), 90*time.Second, "Wait must observe Retry-After")

		start = time.Now()
		script, sent = []string{"429 until tomorrow", `{"result":"approved"}`}, 0
		_, err = client.Sessions.Wait(t.Context(), token)
		require.NoError(t, err)
		assert.InDelta(t, 300, time.Since(start).Seconds(), 15, "Retry-After is capped at five minutes")

		script, sent = []string{`{"result":"in_progress","name":"last"}`, "503"}, 0
		result, err = client.Sessions.Wait(t.Context(), token)
		require.ErrorIs(t, err, identomat.ErrUnexpectedResponse)
		assert.Equal(t, "last", result.Name)
		assert.Equal(t, 6, sent)

		script, sent = []string{`{"result":"in_progress"}`, `"SESSION_NOT_FOUND"`}, 0
		_, err = client.Sessions.Wait(t.Context(), token)
		require.ErrorIs(t, err, identomat.ErrSessionNotFound)
		assert.Equal(t, 2, sent)

		script, sent = []string{`<html>`}, 0
		result, err = client.Sessions.Wait(t.Context(), token)
		require.ErrorIs(t, err, identomat.ErrUnexpectedResponse)
		assert.Nil(t, result)
		assert.Equal(t, 1, sent)
	})
}

func TestEmptyOutcomeIsRefused(t *testing.T) {
	for _, text := range []string{`{"result":"","result":"approved"}`, `{"result":"approved","result":""}`, `{"result":""}`} {
		var r identomat.Result
		require.Error(t, json.Unmarshal([]byte(text), &r), text)
		client, mock := mocked(t)
		answers(mock, resultURL, 200, "application/json", text)
		_, err := client.Sessions.Result(t.Context(), token)
		require.ErrorIs(t, err, identomat.ErrUnexpectedResponse, text)
	}
}

func TestMistypedFieldDoesNotHideAmbiguousKeys(t *testing.T) {
	for _, text := range []string{
		`{"face_images":"x","result":"rejected","result":"approved"}`,
		`{"face_images":"x","Result":"rejected","result":"approved"}`,
		`{"result":"approved","person":7,"argumentError":"a","argumentError":null}`,
		`{"internalError":"a","face_images":"x","internalError":null,"result":"approved"}`,
	} {
		var r identomat.Result
		require.Error(t, json.Unmarshal([]byte(text), &r), text)
		assert.False(t, r.Approved(), text)
		client, mock := mocked(t)
		answers(mock, resultURL, 200, "application/json", text)
		result, err := client.Sessions.Result(t.Context(), token)
		require.Error(t, err, text)
		assert.Nil(t, result)
	}
}

func FuzzResult(f *testing.F) {
	names, err := filepath.Glob("testdata/samples/result-*")
	require.NoError(f, err)
	for _, name := range names {
		f.Add([]byte(sample(f, filepath.Base(name))))
	}
	f.Add([]byte(`{"result":"approved","person":[],"similarity":"x","questionnaires":[{"questions":[[1]]}]}`))
	f.Add([]byte(`{"face_images":"x","result":"rejected","result":"approved"}`))
	f.Add([]byte(`{"RESULT":"approved","result":"rejected"}`))
	f.Add([]byte(`{"result":"approved","person":7,"argumentError":"a","argumentError":null}`))
	f.Add([]byte(`{"result":"approved","similarity":1e999}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var r identomat.Result
		if json.Unmarshal(data, &r) != nil {
			return
		}
		assert.NotEmpty(t, r.Outcome)
		assert.Equal(t, r.Outcome == "approved", r.Approved())
		outcomes := topLevel(t, data, "result")
		require.Len(t, outcomes, 1, "several outcomes in %q", data)
		assert.True(t, strings.EqualFold(outcomes[0].(string), string(r.Outcome)), "%q", data)
		for _, value := range append(topLevel(t, data, "argumentError"), topLevel(t, data, "internalError")...) {
			assert.Nil(t, value, "%q", data)
		}
		var want, got bytes.Buffer
		require.NoError(t, json.Compact(&want, data))
		require.NoError(t, json.Compact(&got, r.Raw()))
		assert.Equal(t, want.String(), got.String())
		r.Extra()
		for _, q := range r.Questionnaires {
			for _, question := range q.Questions {
				question.Answer.Text()
				question.Answer.Choices()
			}
		}
	})
}

// topLevel returns the values of all members with this name, in any letter case and including
// duplicates.
func topLevel(t *testing.T, object []byte, name string) (values []any) {
	dec := json.NewDecoder(bytes.NewReader(object))
	dec.UseNumber() // a float64 cannot hold every number
	_, err := dec.Token()
	require.NoError(t, err)
	for dec.More() {
		member, err := dec.Token()
		require.NoError(t, err)
		var value any
		require.NoError(t, dec.Decode(&value))
		if strings.EqualFold(member.(string), name) {
			values = append(values, value)
		}
	}
	return values
}

var (
	monthFirst = regexp.MustCompile(`^(\d{1,2})/(\d{1,2})/(\d{4})$`)
	isoDate    = regexp.MustCompile(`^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{1,2}):(\d{2}):(\d{2})(?:[.,](\d+))?(Z|[+-]\d{2}(?::?\d{2})?)?)?$`)
)

// FuzzDate compares Date.Time with the digits in the text.
func FuzzDate(f *testing.F) {
	for _, text := range []string{
		"1/8/1980", "13/1/1980", "02/29/2024", "2/29/2023", "1980-01-08T00:00:00.000Z", "2025-01-15T00:00:00", "2025-01-15", "",
		"2025-01-15T23:59:59+04:00", "2025-01-15T23:59:59,5Z", "0000-01-01", "2025-1-15", "1/8/80", "2025-01-15 23:59:59+0400", "notation", " 1/8/1980", "2025-01-15T24:00:00",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		at, err := identomat.Date(text).Time()
		if err != nil {
			assert.True(t, at.IsZero())
			assert.Contains(t, []string{"identomat: the date is empty", "identomat: the date has an unknown notation"}, err.Error())
		}
		number := func(digits string) int { n, _ := strconv.Atoi(digits); return n }
		if m := monthFirst.FindStringSubmatch(text); m != nil {
			want := time.Date(number(m[3]), time.Month(number(m[1])), number(m[2]), 0, 0, 0, 0, time.UTC)
			possible := number(m[1]) >= 1 && number(m[1]) <= 12 && number(m[2]) >= 1 && want.Day() == number(m[2])
			require.Equal(t, possible, err == nil, text)
			require.True(t, err != nil || at.Equal(want), "%s is %s", text, at)
			return
		}
		m := isoDate.FindStringSubmatch(text)
		if m == nil {
			require.Error(t, err, "%q", text)
			return
		}
		if err != nil {
			return // not a date, such as the 30th of February
		}
		year, month, day := at.Date()
		require.Equal(t, []int{number(m[1]), number(m[2]), number(m[3])}, []int{year, int(month), day}, text)
		require.Equal(t, []int{number(m[4]), number(m[5]), number(m[6])}, []int{at.Hour(), at.Minute(), at.Second()}, text)
		require.Equal(t, number((m[7] + "000000000")[:9]), at.Nanosecond(), text)
		_, offset := at.Zone()
		want := 0
		if zone := strings.ReplaceAll(m[8], ":", "") + "00"; len(zone) > len("Z00") {
			if want = number(zone[1:3])*3600 + number(zone[3:5])*60; zone[0] == '-' {
				want = -want
			}
		}
		require.Equal(t, want, offset, text)
	})
}

func TestAppendToRawChangesNothingElse(t *testing.T) {
	client := responding(t, 200, `{"result":"approved"}`, true)
	result, err := client.Sessions.Result(t.Context(), token)
	require.NoError(t, err)
	first := append(result.Raw(), 'A')
	_ = append(result.Raw(), 'B')
	assert.Equal(t, `{"result":"approved"}A`, string(first))

	raw, err := responding(t, 200, `{"result":[1],"total":1}`, false).Call(t.Context(), identomat.Endpoint{Name: "freeze"}, nil)
	require.NoError(t, err)
	first = append(raw, 'A')
	_ = append(raw, 'B')
	assert.Equal(t, `[1]A`, string(first))
}
