package identomat_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
)

func TestBeginRequestAndResponse(t *testing.T) {
	client, mock := mocked(t)
	mock.RegisterResponder(http.MethodPost, beginURL, func(req *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(req.Body)
		require.NoError(t, err)
		assert.Empty(t, req.URL.RawQuery)
		assert.Equal(t, "application/json", req.Header.Get("Content-Type"))
		assert.Equal(t, "identomat-go/"+identomat.Version, req.Header.Get("User-Agent"))
		assert.Empty(t, req.Header.Get("Authorization"))
		assert.JSONEq(t, `{
			"company_key": "`+companyKey+`",
			"flags": {"language": "ka", "skip_agreement": true, "skip_face": true, "skip_document": false},
			"steps": [{"type": "liveness", "key": "liveness", "flags": {"liveness": true}}],
			"parent_session_id": "98aryxvvzwpi4zuasth332ozfucli3l0qx13hisc",
			"name": "KYC for John Smith", "clientUserId": "user-12345", "groupId": "682c60525a91a1e5b473858d",
			"scheduleStartTime": "2024-06-20T07:33:00.000Z", "scheduleEndTime": "2024-06-20T09:00:00.000Z",
			"new_parameter": [1, {"a": null}]
		}`, string(body))
		return httpmock.NewStringResponse(200, sample(t, "begin-default.json")), nil
	})
	tbilisi := time.FixedZone("+04", 4*60*60)
	session, err := client.Sessions.Begin(t.Context(), identomat.BeginRequest{
		Flags: identomat.NewFlags().Language(identomat.Georgian).Set("skip_agreement", true).SkipDocument(false),
		Steps: identomat.Steps{identomat.Liveness().Active(true)},

		ParentSessionID: "98aryxvvzwpi4zuasth332ozfucli3l0qx13hisc",
		Name:            "KYC for John Smith", ClientUserID: "user-12345", GroupID: "682c60525a91a1e5b473858d",
		ScheduleStart: time.Date(2024, 6, 20, 11, 33, 0, 0, tbilisi),
		ScheduleEnd:   time.Date(2024, 6, 20, 13, 0, 0, 999, tbilisi),
		Extra:         map[string]any{"new_parameter": []any{1, map[string]any{"a": nil}}},
	})
	require.NoError(t, err)
	assert.Equal(t, token, session.Token)
	assert.Equal(t, "https://widget.identomat.com/?session_token=47fjzxvvzapi4ztasth3c2ozfucli3l0qx13hisc", session.URL)
}

func TestBeginSkipFlags(t *testing.T) {
	steps := identomat.Steps{identomat.Liveness()}
	const step = `"steps":[{"type":"liveness","key":"liveness"}]`
	for name, c := range map[string]struct {
		req  identomat.BeginRequest
		want string
	}{
		"empty request":     {identomat.BeginRequest{}, `{}`},
		"configuration":     {identomat.BeginRequest{ConfigID: "c"}, `{"config_id":"c"}`},
		"steps":             {identomat.BeginRequest{Steps: steps}, `{"flags":{"skip_face":true,"skip_document":true},` + step + `}`},
		"steps and flags":   {identomat.BeginRequest{Steps: steps, Flags: identomat.NewFlags().SkipFace(false)}, `{"flags":{"skip_face":false,"skip_document":true},` + step + `}`},
		"steps with config": {identomat.BeginRequest{Steps: steps, ConfigID: "c"}, `{"config_id":"c",` + step + `}`},
		"flags only":        {identomat.BeginRequest{Steps: identomat.Steps{}, Flags: identomat.NewFlags().SkipDesktop(false)}, `{"flags":{"skip_desktop":false}}`},
	} {
		t.Run(name, func(t *testing.T) {
			client, mock := mocked(t)
			mock.RegisterResponder(http.MethodPost, beginURL, func(req *http.Request) (*http.Response, error) {
				body, err := io.ReadAll(req.Body)
				require.NoError(t, err)
				want := strings.Replace(c.want, "{", `{"company_key":"`+companyKey+`",`, 1)
				assert.JSONEq(t, strings.Replace(want, ",}", "}", 1), string(body))
				return httpmock.NewStringResponse(200, tokenResponse), nil
			})
			_, err := client.Sessions.Begin(t.Context(), c.req)
			require.NoError(t, err)
		})
	}
}

func TestResultAndDeleteSendForm(t *testing.T) {
	client, mock := mocked(t)
	respond := func(text string) httpmock.Responder {
		return func(req *http.Request) (*http.Response, error) {
			body, err := io.ReadAll(req.Body)
			require.NoError(t, err)
			got, err := url.ParseQuery(string(body))
			require.NoError(t, err)
			assert.Equal(t, url.Values{"company_key": {companyKey}, "session_token": {string(token)}}, got)
			assert.Equal(t, "application/x-www-form-urlencoded", req.Header.Get("Content-Type"))
			assert.Empty(t, req.URL.RawQuery)
			return httpmock.NewStringResponse(200, text), nil
		}
	}
	mock.RegisterResponder(http.MethodPost, resultURL, respond(sample(t, "result-sessionapproved.json")))
	mock.RegisterResponder(http.MethodPost, deleteURL, respond(sample(t, "delete-default.json")))

	result, err := client.Sessions.Result(t.Context(), token)
	require.NoError(t, err)
	assert.True(t, result.Approved())
	require.NoError(t, remove(client, t.Context()))
	assert.Equal(t, 2, mock.GetTotalCallCount())
}

func TestErrorCodesMatchSentinels(t *testing.T) {
	sentinels := map[string]error{
		"SESSION_NOT_FOUND": identomat.ErrSessionNotFound, "session-not-found": identomat.ErrSessionNotFound,
		"Session_Not-Found": identomat.ErrSessionNotFound,
		"SESSION_INVALID":   identomat.ErrSessionInvalid, "wrong-parameters": identomat.ErrWrongParameters,
		"invalid-access": identomat.ErrInvalidKey, "invalid-company-key": identomat.ErrInvalidKey,
		"company-missing": identomat.ErrInvalidKey, "access-denied": identomat.ErrInvalidKey,
		"COMPANY_KEY_INVALID":  identomat.ErrInvalidKey,
		"face-photo-not-found": identomat.ErrFacePhotoNotFound, "not-found": identomat.ErrNotFound,
		"already-exists": identomat.ErrAlreadyExists, "invalid-email-format": identomat.ErrInvalidEmailFormat,
		"password-too-short": identomat.ErrPasswordTooShort, "invalid-rights": identomat.ErrInvalidRights,
		"user-already-exists": identomat.ErrUserAlreadyExists,
	}
	for code, want := range sentinels {
		for _, form := range []string{`"%s"`, `{"argumentError": "%s"}`, ` {"result":null,"argumentError":"%s","errorSourceGroup":"service-module-server-external"}`} {
			for _, status := range []int{200, 400, 404, 500} {
				client, mock := mocked(t)
				for _, at := range []string{beginURL, resultURL, deleteURL} {
					answers(mock, at, status, "text/html", fmt.Sprintf(form, code))
				}
				_, beginErr := client.Sessions.Begin(t.Context(), identomat.BeginRequest{})
				_, resultErr := client.Sessions.Result(t.Context(), token)
				for op, err := range map[string]error{"begin/": beginErr, "result/": resultErr, "delete/": remove(client, t.Context())} {
					require.ErrorIs(t, err, want, "%s %s %d", op, fmt.Sprintf(form, code), status)
					var api *identomat.APIError
					require.ErrorAs(t, err, &api)
					assert.Equal(t, op, api.Operation)
					assert.Equal(t, status, api.StatusCode)
					assert.Equal(t, code, api.Code)
					assert.Equal(t, 1, api.Attempts)
					assert.Equal(t, status >= 500, api.MaybeProcessed)
					if strings.Contains(form, "errorSourceGroup") {
						assert.Equal(t, "service-module-server-external", api.Group)
					}
				}
			}
		}
	}
}

func TestUnknownErrorCode(t *testing.T) {
	for form, code := range map[string]string{
		`"NEW_CODE"`: "NEW_CODE", `"NEWCODE"`: "NEWCODE", `"CODE_42"`: "CODE_42", `"some-new-code"`: "some-new-code", `"some_new_code"`: "some_new_code",
		`{"argumentError":"some-new-code"}`: "some-new-code", `{"argumentError":"NEW_CODE","errorSourceGroup":"two words"}`: "NEW_CODE",
		`{"argumentError":"Wilhelmina"}`: "", `{"argumentError":"` + strings.Repeat("a-", 200) + `b"}`: "",
	} {
		client, mock := mocked(t)
		answers(mock, resultURL, 200, "application/json", form)
		_, err := client.Sessions.Result(t.Context(), token)
		var api *identomat.APIError
		require.ErrorAs(t, err, &api, form)
		assert.Equal(t, code, api.Code)
		assert.Empty(t, api.Group)
		assert.NotErrorIs(t, err, identomat.ErrUnexpectedResponse)
		assert.NotContains(t, err.Error(), "Wilhelmina")
		if code != "" {
			assert.Contains(t, err.Error(), code)
		} else {
			assert.NotEmpty(t, api.Message(), "Message must return a text that is not a code")
		}
	}
}

// An unknown code may be a token.
func TestBeginShowsOnlyKnownCodes(t *testing.T) {
	for _, form := range []string{
		`"NEW_CODE"`, `"47FJZXVVZAPI4ZTASTH3C2OZFUCLI3L0QX13_HISC"`, `"ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMN"`, `"ABC-DEF-GHI"`, `{"argumentError":"NEW_CODE"}`,
		`{"argumentError":"NEW_CODE","internalError":"x"}`, `{"argumentError":"x","errorSourceGroup":"NEW_CODE"}`, `{"result":"NEW_CODE"}`, `{"token":"NEW_CODE"}`,
		`{"error":"NEW_CODE"}`, `["NEW_CODE"]`, `"NEW_CODE`, `NEW_CODE`,
	} {
		client, mock := mocked(t)
		answers(mock, beginURL, 200, "application/json", form)
		_, err := client.Sessions.Begin(t.Context(), identomat.BeginRequest{})
		var api *identomat.APIError
		require.ErrorAs(t, err, &api, form)
		assert.Empty(t, api.Code+api.Group, form)
		assert.NotRegexp(t, "NEW_CODE|47FJ|ABC", err.Error())
	}
	client, mock := mocked(t)
	answers(mock, beginURL, 200, "application/json", `{"argumentError":"wrong-parameters","errorSourceGroup":"service-module"}`)
	_, err := client.Sessions.Begin(t.Context(), identomat.BeginRequest{})
	var api *identomat.APIError
	require.ErrorAs(t, err, &api)
	assert.Equal(t, "wrong-parameters service-module", api.Code+" "+api.Group)
}

func TestByteOrderMarkIsSkipped(t *testing.T) {
	const mark = "\xef\xbb\xbf"
	client, mock := mocked(t)
	answers(mock, beginURL, 200, "application/json", mark+tokenResponse)
	session, err := client.Sessions.Begin(t.Context(), identomat.BeginRequest{})
	require.NoError(t, err)
	assert.Equal(t, token, session.Token)

	answers(mock, resultURL, 200, "application/json", mark+` {"result":"approved"}`)
	result, err := client.Sessions.Result(t.Context(), token)
	require.NoError(t, err)
	assert.True(t, result.Approved())
	assert.Equal(t, ` {"result":"approved"}`, string(result.Raw()))
	var fixture identomat.Result
	require.NoError(t, fixture.UnmarshalJSON([]byte(mark+`{"result":"approved"}`)))
	assert.True(t, fixture.Approved())

	answers(mock, resultURL, 200, "application/json", mark+`"SESSION_NOT_FOUND"`)
	_, err = client.Sessions.Result(t.Context(), token)
	require.ErrorIs(t, err, identomat.ErrSessionNotFound)
	answers(mock, resultURL, 200, "application/json", mark+`{"message":"x"}`)
	_, err = client.Sessions.Result(t.Context(), token)
	require.ErrorContains(t, err, `15 bytes: {"message":"…"}`)
}

func TestErrorBesideApprovalNeverApproves(t *testing.T) {
	for _, body := range []string{
		`{"result":"approved","error":"boom"}`, `{"ERROR_CODE":17,"result":"APPROVED"}`, `{"result":"approved","errorMessage":"x"}`, `{"result":"approved","errors":["LOW_SIMILARITY"]}`,
		`{"result":"approved","argument_error":"x"}`, `{"result":"approved","internal-error":{"a":1}}`,
		`{"result":"approved","success":false}`, `{"success":"false","result":"approved"}`, `{"result":"approved","ok":0}`, `{"result":"approved","status":"error"}`,
		`{"result":"approved","statusCode":500}`, `{"result":"approved","err":"x"}`, `{"result":"approved","exception":{"a":1}}`, `{"result":"approved","fault":"x"}`,
		`{"result":"approved","failure":true}`, `{"result":"approved","has_errors":true}`,
	} {
		client, mock := mocked(t)
		answers(mock, resultURL, 200, "application/json", body)
		result, err := client.Sessions.Result(t.Context(), token)
		require.ErrorIs(t, err, identomat.ErrUnexpectedResponse, body)
		assert.Nil(t, result)
		var fixture identomat.Result
		require.Error(t, json.Unmarshal([]byte(body), &fixture), body)
		assert.False(t, fixture.Approved())
	}
	for _, body := range []string{`{"result":"approved","error":null,"errors":[],"errorCode":0,"errorMessage":""}`, `{"result":"approved","person":{"error":"x"}}`,
		`{"result":"approved","success":true,"ok":1,"status":"done","statusCode":200,"err":null,"exception":"","fault":{},"failure":false,"hasErrors":false}`,
	} {
		assert.True(t, decode(t, body).Approved(), body)
	}
	assert.Equal(t, []string{"LOW_SIMILARITY"}, decode(t, `{"result":"rejected","errors":["LOW_SIMILARITY"],"error":"x"}`).Errors)
}

func TestErrorBesideMedia(t *testing.T) {
	for _, member := range []string{`"error":"boom"`, `"error_code":"boom"`, `"Error-Message":"boom"`, `"argument_error":"boom"`} {
		client := responding(t, 200, `{"result":["data:application/x-tar;base64,YQ=="],`+member+`}`, false)
		var last error
		for _, err := range client.Media.VisualMarkers(t.Context(), token) {
			last = err
		}
		require.ErrorIs(t, last, identomat.ErrUnexpectedResponse, member)
	}
}

// An approval must not hide a match.
func TestApprovalBesideUnreadableMatchesIsRefused(t *testing.T) {
	for _, matches := range []string{`"yes"`, `7`, `true`, `false`, `{"a":1}`, `{"matches":[{"name":"X"}]}`} {
		for _, name := range []string{"screeningMatches", "ScreeningMatches", `scr\u0065eningMatches`} {
			members := `"` + name + `":` + matches + `}`
			client, mock := mocked(t)
			answers(mock, resultURL, 200, "application/json", `{"result":"approved",`+members)
			_, err := client.Sessions.Result(t.Context(), token)
			require.ErrorIs(t, err, identomat.ErrUnexpectedResponse, members)
			assert.JSONEq(t, matches, string(decode(t, `{"result":"manual_check",`+members).Extra()[strings.Replace(name, `\u0065`, "e", 1)]))
		}
	}
	for matches, want := range map[string]int{
		`{"1":{"name":"X"}}`: 1, `{"name":"X"}`: 1, `[{"name":"X"},{"score":1}]`: 2, `[1]`: 1, `[null]`: 1, `[]`: 0, `{}`: 0, `null`: 0,
	} {
		r := decode(t, `{"result":"approved","screeningMatches":`+matches+`}`)
		assert.True(t, r.Approved())
		assert.Len(t, r.ScreeningMatches, want, matches)
	}
}

// The last member counts, but the matches in an earlier one must not disappear.
func TestApprovalBesideDuplicateMatchesIsRefused(t *testing.T) {
	for _, matches := range []string{`[{"name":"X"}]`, `[]`, `7`} {
		response := `{"result":"approved","screeningMatches":` + matches + `,"screeningMatches":null}`
		require.Error(t, new(identomat.Result).UnmarshalJSON([]byte(response)), response)
	}
}

func TestEchoedCompanyKeyIsNotShown(t *testing.T) {
	for _, c := range [][2]string{
		{"application/json", `{"argumentError":"COMPANY-KEY-IN-CAPITALS"}`}, {"application/json", `{"argumentError":"x-y","errorSourceGroup":"COMPANY-KEY-IN-CAPITALS"}`},
		{"COMPANY-KEY-IN-CAPITALS", `<html>`}, {"application/company-key-in-capitals", `<html>`}, {"application/json", `{"COMPANY-KEY-IN-CAPITALS":{"first_name":1}}`},
		{"text/html", `<html>COMPANY-KEY-IN-CAPITALS`},
	} {
		client, err := identomat.NewClient("COMPANY-KEY-IN-CAPITALS", identomat.WithHTTPClient(&http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
			return newResponse(200, c[1], "Content-Type", c[0]), nil
		})}))
		require.NoError(t, err)
		_, err = client.Sessions.Result(t.Context(), token)
		require.Error(t, err)
		assert.NotContains(t, strings.ToUpper(fmt.Sprintf("%v %#v", err, err)), "COMPANY-KEY-IN-CAPITALS")
	}
}

func TestConstructedAPIErrorMatchesSentinel(t *testing.T) {
	require.ErrorIs(t, &identomat.APIError{Code: "SESSION_NOT_FOUND"}, identomat.ErrSessionNotFound)
	require.ErrorIs(t, &identomat.APIError{StatusCode: 429}, identomat.ErrRateLimited)
	require.NotErrorIs(t, &identomat.APIError{}, identomat.ErrSessionNotFound)
	assert.True(t, (&identomat.Result{Outcome: "APPROVED"}).Approved())
}

func TestInternalErrorTextOnlyInMessage(t *testing.T) {
	client, mock := mocked(t)
	answers(mock, resultURL, 200, "application/json", `{"internalError": "Illegal arguments: John Smith"}`)
	_, err := client.Sessions.Result(t.Context(), token)
	require.ErrorIs(t, err, identomat.ErrInternal)
	var api *identomat.APIError
	require.ErrorAs(t, err, &api)
	assert.Equal(t, "Illegal arguments: John Smith", api.Message())
	assert.Equal(t, "identomat: result/: internal service error (HTTP 200)", err.Error())
	assert.NotContains(t, fmt.Sprintf("%+v %#v %+v", err, err, *api), "Smith")
}

func TestUnexpectedResponse(t *testing.T) {
	page := "<html><head><title>502 Bad Gateway</title></head><body>John Smith</body></html>"
	cases := map[string]struct {
		status      int
		contentType string
		body        string
		want        string
	}{
		"proxy page":       {502, "text/html; charset=utf-8", page, "unexpected response (HTTP 502, text/html): 79 bytes: html bad gateway html"},
		"page with 200":    {200, "text/html", page, "79 bytes: html bad gateway html"},
		"empty":            {200, "", "", "empty response"},
		"blank":            {200, "", " \n", "empty response"},
		"null":             {200, "application/json", "null", "null"},
		"false":            {200, "application/json", "false", "false"},
		"number":           {200, "application/json", "17", "2 bytes"},
		"truncated object": {200, "application/json", `{"result":"approved","person":{"first_name":"John`, `{"result":"…","person":{"…":"…"`},
		"trailing data":    {200, "application/json", `{"result":"approved"} {"x":1}`, `{"result":"…"}{"…":…}`},
		"sentence":         {200, "application/json", `"John Smith is fine"`, `20 bytes: "…"`},
		"list":             {200, "application/json", `["John"]`, `["…"]`},
		"redirect":         {302, "text/html", "", "HTTP 302"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			client, mock := mocked(t)
			for _, at := range []string{beginURL, resultURL, deleteURL} {
				answers(mock, at, c.status, c.contentType, c.body)
			}
			session, beginErr := client.Sessions.Begin(t.Context(), identomat.BeginRequest{})
			assert.Nil(t, session)
			result, resultErr := client.Sessions.Result(t.Context(), token)
			assert.Nil(t, result)
			for _, err := range []error{beginErr, resultErr, remove(client, t.Context())} {
				require.ErrorIs(t, err, identomat.ErrUnexpectedResponse)
				assert.Contains(t, err.Error(), c.want)
				assert.NotContains(t, err.Error(), "John")
				var api *identomat.APIError
				require.ErrorAs(t, err, &api)
				assert.True(t, api.MaybeProcessed)
			}
		})
	}
}

func TestShapeOfAnotherEndpointIsRefused(t *testing.T) {
	for url, bodies := range map[string][]string{
		beginURL:  {`true`, `{}`, `[]`, `{"result":"approved"}`, `{"result":"47fjzxvvzapi4ztasth3c2ozfucli3l0qx13hisc"}`, `""`},
		resultURL: {`true`, `{}`, `[]`, `"47fjzxvvzapi4ztasth3c2ozfucli3l0qx13hisc"`, `{"result":""}`, `{"result":null}`, `{"person":{}}`, `{"result":{"result":"approved"}}`, `{"result":["approved"]}`},
		deleteURL: {`"47fjzxvvzapi4ztasth3c2ozfucli3l0qx13hisc"`, `[1]`, `tru`, `{"result":`},
	} {
		for _, body := range bodies {
			client, mock := mocked(t)
			answers(mock, url, 200, "application/json", body)
			var err error
			switch url {
			case beginURL:
				_, err = client.Sessions.Begin(t.Context(), identomat.BeginRequest{})
			case resultURL:
				_, err = client.Sessions.Result(t.Context(), token)
			default:
				err = remove(client, t.Context())
			}
			assert.ErrorIs(t, err, identomat.ErrUnexpectedResponse, "%s %s", url, body)
		}
	}
}

func TestDeleteResponses(t *testing.T) {
	for _, body := range []string{"true", " true\n", "{}", "[]", "[ ]", `{"result":"rejected","errors":["X"]}`, `{"result":true}`, `{"result":null}`, `{"session_id":"1","person":{}}`,
		`{"success":true}`, `{"ok":1}`, `{"status":"ok"}`, `{"status":200}`, `{"status":"404 Main Street"}`, `{"status":{"error":"x"}}`, `{"hasErrors":false,"err":null}`,
		`{"result":{"result":"rejected","errors":["X"]}}`, `{"result":{"id":"1"}}`,
	} {
		client, mock := mocked(t)
		answers(mock, deleteURL, 200, "text/html", body)
		assert.NoError(t, remove(client, t.Context()), body)
	}
	for _, body := range []string{
		`{"success":false}`, `{"error":"denied"}`, `{"result":false}`, `{"argument_error":"x"}`, `{"result":{"argumentError":"x"}}`,
		`{"argumentE\u0072ror":"session-not-found"}`, `{"ARGUMENTERROR":"session-not-found"}`, `{"result":"SESSION_NOT_FOUND"}`,
		`{"argumentError":"session-not-found","argumentError":null}`, `{"result":"approved","Result":true}`,
		`{"success":"false"}`, `{"success":0}`, `{"Success":false}`, `{"ok":false}`, `{"success":true,"success":false}`, `{"result":"approved","success":false}`,
		`{"status":"error"}`, `{"status":"Failed"}`, `{"status":500}`, `{"statusCode":403,"message":"Forbidden"}`, `{"status_code":"404"}`,
		`{"result":"error"}`, `{"result":"DELETE_FAILED"}`, `{"result":"false"}`, `{"result":0}`, `{"exception":"x"}`, `{"hasErrors":true}`,
		`{"result":{"error":"x"}}`, `{"result":{"success":false}}`, `{"result":{"statusCode":500}}`,
	} {
		client, mock := mocked(t)
		answers(mock, deleteURL, 200, "application/json", body)
		assert.Error(t, remove(client, t.Context()), body)
	}
}

// The system manual promises an object about the deleted session.
func TestDeleteReturnsDocument(t *testing.T) {
	for body, outcome := range map[string]identomat.Outcome{
		sample(t, "result-sessionrejected.json"): identomat.OutcomeRejected, `{"result":"approved","person":{"first_name":"Nino"}}`: identomat.OutcomeApproved,
		`{"session_id":"1","person":{"first_name":"Nino"}}`: "", `true`: "", `{}`: "", `[]`: "", `{"result":null}`: "", `{"result":true}`: "",
	} {
		client, mock := mocked(t)
		answers(mock, deleteURL, 200, "application/json", body)
		deleted, err := client.Sessions.Delete(t.Context(), token)
		require.NoError(t, err, body)
		assert.Equal(t, strings.TrimSpace(body), string(deleted.Raw()))
		assert.NotContains(t, fmt.Sprintf("%+v %#v", deleted, *deleted), "Nino")
		if outcome == "" {
			assert.Nil(t, deleted.Result, body)
			continue
		}
		assert.Equal(t, outcome, deleted.Result.Outcome, body)
	}
}

func TestArgumentErrorOfAnyTypeButNull(t *testing.T) {
	client, mock := mocked(t)
	answers(mock, resultURL, 200, "application/json", `{"result":"approved","argumentError":null,"person":{"errors":["argumentError"]}}`)
	result, err := client.Sessions.Result(t.Context(), token)
	require.NoError(t, err)
	assert.True(t, result.Approved())

	for _, value := range []string{`{"code":1}`, `17`, `true`, `"two words of John"`, `[]`, `""`} {
		answers(mock, resultURL, 200, "application/json", `{"result":"approved","argumentError":`+value+`}`)
		_, err = client.Sessions.Result(t.Context(), token)
		var api *identomat.APIError
		require.ErrorAs(t, err, &api, value)
		assert.Empty(t, api.Code)
		assert.NotContains(t, err.Error(), "John")
	}
}

func TestAmbiguousKeysNeverApprove(t *testing.T) {
	for _, body := range []string{
		`{"result":"rejected","result":"approved"}`, `{"result":"rejected","RESULT":"approved"}`, `{"result":"rejected","reſult":"approved"}`,
		`{"Result":"approved"}`, `{"result":"approved","result":null}`, `{"result":["x"],"result":"approved"}`,
		`{"result":"approved","Result":"rejected","person":[]}`, `{"res\u0075lt":"rejected","result":"approved"}`,
		`{"argumentE\u0072ror":"session-not-found","result":"approved"}`, `{"ARGUMENTERROR":"x","result":"approved"}`,
		`{"internalE\u0072ror":"x","result":"approved"}`, `{"argumentError":"x","argumentError":null,"result":"approved"}`,
		`{"result":"approved","x":{}},"result":"rejected"}`, `{"x":{"result":"approved"},"argumentError":"x"}`,
	} {
		client, mock := mocked(t)
		answers(mock, resultURL, 200, "application/json", body)
		result, err := client.Sessions.Result(t.Context(), token)
		require.Error(t, err, body)
		assert.Nil(t, result)
		var fixture identomat.Result
		require.Error(t, json.Unmarshal([]byte(body), &fixture), body)
		assert.False(t, fixture.Approved())
	}
	for _, body := range []string{
		`{"person":{"result":"rejected","argumentError":"x"},"result":"approved"}`,
		`{"x":"\"result\":\"rejected\"","result":"approved","y":["result",{"result":1}]}`, `{ "result" : "approved" , "x":{"a":[{}]}}`,
	} {
		client, mock := mocked(t)
		answers(mock, resultURL, 200, "application/json", body)
		result, err := client.Sessions.Result(t.Context(), token)
		require.NoError(t, err, body)
		assert.True(t, result.Approved())
	}
}

func TestDuplicateKeyNeverHidesError(t *testing.T) {
	for _, duplicate := range []string{
		`"argumentError":"session-not-found","argumentError":null`, `"internalError":"x","internalError":null`,
		`"argumentE\u0072ror":"session-not-found","argumentError":null`,
	} {
		for name, c := range map[string]struct {
			rest string
			call func(*identomat.Client) error
		}{
			"wrapped": {`"result":{"id":"x"}`, func(c *identomat.Client) error { _, err := c.Sessions.Config(t.Context(), "x"); return err }},
			"object":  {`"person":{"first_name":"JOHN"}`, func(c *identomat.Client) error { _, err := c.Documents.Passport(t.Context(), image()); return err }},
			"delete":  {`"result":"approved"`, func(c *identomat.Client) error { return remove(c, t.Context()) }},
			"change":  {`"result":true`, func(c *identomat.Client) error { return c.Groups.Delete(t.Context(), "g1") }},
		} {
			respond := func(body string) error {
				return c.call(stubbed(t, func(*http.Request) (*http.Response, error) { return newResponse(200, body), nil }))
			}
			require.ErrorIs(t, respond(`{`+duplicate+`,`+c.rest+`}`), identomat.ErrUnexpectedResponse, "%s, %s", name, duplicate)
			require.NoError(t, respond(`{"argumentError":null,`+c.rest+`}`), name)
		}
	}
}

func TestBeginRefusesWordsAsTokens(t *testing.T) {
	for _, text := range []string{
		"error", "internalError", "unauthorized", "Forbidden", "null", "undefined", "true", "ok", "0", "404", ".", "error-500", "session-not-found-2",
		"invalid.company.key", "COMPANY_KEY_INVALID.", strings.Repeat("A_", 40), "abcdefghijklmnopqrstuvwxyzabcdefghijklm", "HTTP404ERROR", "abc12xy", "12345678", "ERROR_1001", "too many requests 123", "<html>1234567890</html>",
		"config-v2-missing", "quota-exceeded-24h", "retry-in-30s-please", "sha256-mismatch", "feature-2fa-disabled",
		companyKey,
	} {
		client, mock := mocked(t)
		answers(mock, beginURL, 200, "application/json", `"`+text+`"`)
		session, err := client.Sessions.Begin(t.Context(), identomat.BeginRequest{})
		require.Error(t, err, text)
		assert.Nil(t, session)
		assert.NotContains(t, err.Error(), companyKey)
	}
	for _, text := range []string{"47fjzxvvzapi4ztasth3c2ozfucli3l0qx13hisc", "kqfjzxvvzapiaztasthicbozfuclihlnqxmghisc", "47FJZXVVZAPI4ZTASTH3C2OZFUCLI3L0QX13HISC", "abc123xyz", "550e8400-e29b-41d4-a716-446655440000"} {
		client, mock := mocked(t)
		answers(mock, beginURL, 200, "application/json", `"`+text+`"`)
		session, err := client.Sessions.Begin(t.Context(), identomat.BeginRequest{})
		require.NoError(t, err)
		assert.Equal(t, identomat.Token(text), session.Token)
	}
}

func TestMaybeProcessedAfterRefusal(t *testing.T) {
	for body, maybeProcessed := range map[string]bool{
		`{"argumentError":"wrong-parameters"}`: false, `"COMPANY_KEY_INVALID"`: false,
		`{"argumentError":"something-new"}`: true, `"PROCESSING"`: true, `{"internalError":"connection lost while saving"}`: true,
		`{"argumentError":"wrong-parameters","internalError":"x"}`: true,
	} {
		var observed []error
		client, mock := mocked(t, identomat.WithObserver(func(e identomat.Event) { observed = append(observed, e.Err) }))
		answers(mock, beginURL, 200, "application/json", body)
		_, err := client.Sessions.Begin(t.Context(), identomat.BeginRequest{})
		for _, err := range append(observed, err) {
			var api *identomat.APIError
			require.ErrorAs(t, err, &api)
			assert.Equal(t, maybeProcessed, api.MaybeProcessed, body)
			assert.Equal(t, 1, api.Attempts)
		}
	}
}

func TestResponseWithTooManyValuesIsRefused(t *testing.T) {
	client, mock := mocked(t)
	answers(mock, resultURL, 200, "application/json", `{"result":"approved","generalDocuments":[{"pages":[{}`+strings.Repeat(",{}", 300_000)+`]}]}`)
	_, err := client.Sessions.Result(t.Context(), token)
	require.ErrorIs(t, err, identomat.ErrTooLarge)
}

func TestMaxResponseSize(t *testing.T) {
	client, mock := mocked(t, identomat.WithMaxResponseSize(21))
	answers(mock, resultURL, 200, "application/json", `{"result":"approved"}`)
	_, err := client.Sessions.Result(t.Context(), token)
	require.NoError(t, err)
	answers(mock, resultURL, 200, "application/json", `{"result":"approved"} `)
	_, err = client.Sessions.Result(t.Context(), token)
	require.ErrorIs(t, err, identomat.ErrTooLarge)
	assert.NotErrorIs(t, err, identomat.ErrUnexpectedResponse)
}

// countingReader is an endless error page. It counts the bytes that are read.
type countingReader struct{ read int }

func (r *countingReader) Read(p []byte) (int, error) {
	r.read += copy(p, bytes.Repeat([]byte("<p>"), len(p)/3+1))
	return len(p), nil
}

func (*countingReader) Close() error { return nil }

func TestErrorPageReadUpTo64KiB(t *testing.T) {
	page := &countingReader{}
	client := stubbed(t, func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusBadRequest, Header: http.Header{}, ContentLength: -1, Body: page}, nil
	})
	_, err := client.Sessions.Result(t.Context(), token)
	require.Error(t, err)
	assert.InDelta(t, 64<<10, page.read, 1024)
	page.read = 0
	_, err = client.Media.Face(t.Context(), token)
	require.Error(t, err)
	assert.InDelta(t, 64<<10, page.read, 1024)
}

func TestRateLimitWithAnyBody(t *testing.T) {
	for _, body := range []string{"", "<html>", `{"argumentError":"too-many-requests"}`} {
		client, mock := mocked(t)
		answers(mock, beginURL, 429, "text/html", body)
		_, err := client.Sessions.Begin(context.Background(), identomat.BeginRequest{})
		require.ErrorIs(t, err, identomat.ErrRateLimited)
		var api *identomat.APIError
		require.ErrorAs(t, err, &api)
		assert.False(t, api.MaybeProcessed)
	}
}
