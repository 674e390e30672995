package identomat_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/identomattest"
)

// serviceCalls has one call to each JSON endpoint on external-api.identomat.com. The parameters must not
// be printed.
var serviceCalls = map[string]func(context.Context, *identomat.Client) error{
	"search-screening-person": func(ctx context.Context, c *identomat.Client) error {
		_, err := c.Screening.SearchPage(ctx, privateQuery(), 0, 0)
		return err
	},
	"get-screening-person-details": func(ctx context.Context, c *identomat.Client) error {
		_, err := c.Screening.Person(ctx, "F00-AB-77")
		return err
	},
	"monitor-screening-query": func(ctx context.Context, c *identomat.Client) error {
		_, err := c.Screening.Monitor(ctx, identomat.MonitorQuery{FullName: "Wilhelmina Featherstone", Extra: map[string]any{"city": "Rustaveli"}})
		return err
	},
	"remove-screening-query-from-monitoring": func(ctx context.Context, c *identomat.Client) error {
		return c.Screening.Unmonitor(ctx, "F00-AB-77")
	},
	"list-screening-monitoring-records": func(ctx context.Context, c *identomat.Client) error {
		_, err := c.Screening.ListMonitoredPage(ctx, identomat.MonitoredFilter{Extra: map[string]any{"city": "Rustaveli"}}, 0, 0)
		return err
	},
	"add-blacklist-record": func(ctx context.Context, c *identomat.Client) error {
		_, err := c.Blacklist.Add(ctx, privateEntry())
		return err
	},
	"remove-blacklist-record": func(ctx context.Context, c *identomat.Client) error { return c.Blacklist.Remove(ctx, "F00-AB-77") },
	"list-blacklist-records": func(ctx context.Context, c *identomat.Client) error {
		_, err := c.Blacklist.ListPage(ctx, identomat.BlacklistFilter{Extra: map[string]any{"city": "Rustaveli"}}, 0, 0)
		return err
	},
	"end-video-call": func(ctx context.Context, c *identomat.Client) error { return c.VideoCalls.End(ctx, sessionToken) },
	"list-groups": func(ctx context.Context, c *identomat.Client) error {
		_, err := c.Groups.List(ctx)
		return err
	},
	"make-group": func(ctx context.Context, c *identomat.Client) error {
		_, err := c.Groups.Create(ctx, identomat.CreateGroupRequest{Name: "Featherstone", MemberIDs: []string{"F00-AB-77"}})
		return err
	},
	"change-group": func(ctx context.Context, c *identomat.Client) error {
		return c.Groups.Update(ctx, "F00-AB-77", identomat.UpdateGroupRequest{Name: "Featherstone", MemberIDs: []string{"Wilhelmina"}})
	},
	"delete-group": func(ctx context.Context, c *identomat.Client) error { return c.Groups.Delete(ctx, "F00-AB-77") },
	"list-users": func(ctx context.Context, c *identomat.Client) error {
		_, err := c.Users.List(ctx)
		return err
	},
	"create-user": func(ctx context.Context, c *identomat.Client) error {
		_, err := c.Users.Create(ctx, privateUser())
		return err
	},
	"get-session-config": func(ctx context.Context, c *identomat.Client) error {
		_, err := c.Sessions.Config(ctx, "F00-AB-77")
		return err
	},
	"list-session-activities": func(ctx context.Context, c *identomat.Client) error {
		_, err := c.Sessions.Activities(ctx, sessionToken)
		return err
	},
	"get-session-statistical-summary": func(ctx context.Context, c *identomat.Client) error {
		_, err := c.Sessions.Statistics(ctx, sessionToken)
		return err
	},
}

func privateQuery() identomat.ScreeningQuery {
	return identomat.ScreeningQuery{FullName: "Wilhelmina Featherstone", ScoreThreshold: 80, Extra: map[string]any{"city": "Rustaveli"}}
}

func privateEntry() identomat.BlacklistEntry {
	return identomat.BlacklistEntry{
		FirstName: "Wilhelmina", LastName: "Featherstone", PersonalNumber: "F00-AB-77", DocumentNumber: "F00-AB-77",
		Birthday: "1984-02-29", Reason: "Wilhelmina lied", Extra: map[string]any{"city": "Rustaveli"},
	}
}

func privateUser() identomat.CreateUserRequest {
	return identomat.CreateUserRequest{
		Email: "wilhelmina@example.com", Password: "+995599112233", FirstName: "Wilhelmina", LastName: "Featherstone",
		Extra: map[string]any{"city": "Rustaveli"},
	}
}

// TestSampleErrorsMatchSentinels responds to each call in serviceCalls with the documented error samples
// for its endpoint.
func TestSampleErrorsMatchSentinels(t *testing.T) {
	sentinels := map[string]error{
		"wrong-parameters": identomat.ErrWrongParameters, "invalid-access": identomat.ErrInvalidKey,
		"invalid-company-key": identomat.ErrInvalidKey, "company-missing": identomat.ErrInvalidKey, "access-denied": identomat.ErrInvalidKey,
		"already-exists": identomat.ErrAlreadyExists, "not-found": identomat.ErrNotFound, "session-not-found": identomat.ErrSessionNotFound,
		"invalid-email-format": identomat.ErrInvalidEmailFormat, "password-too-short": identomat.ErrPasswordTooShort,
		"invalid-rights": identomat.ErrInvalidRights, "user-already-exists": identomat.ErrUserAlreadyExists,
	}
	tested := 0
	for op, call := range serviceCalls {
		files, err := filepath.Glob("testdata/samples/" + op + "-*.json")
		require.NoError(t, err)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			var sample struct{ ArgumentError, InternalError, ErrorSourceGroup string }
			if json.Unmarshal(text, &sample) != nil || sample.ArgumentError+sample.InternalError == "" {
				continue
			}
			tested++
			want := sentinels[sample.ArgumentError]
			if sample.InternalError != "" {
				want = identomat.ErrInternal
			}
			require.Error(t, want, file)
			client, mock := mocked(t)
			answers(mock, apiURL+op, 200, "application/json", string(text))
			err = call(t.Context(), client)
			require.ErrorIs(t, err, want, file)
			var api *identomat.APIError
			require.ErrorAs(t, err, &api)
			assert.Equal(t, op, api.Operation)
			assert.Equal(t, []string{sample.ArgumentError, sample.InternalError, sample.ErrorSourceGroup}, []string{api.Code, api.Message(), api.Group})
		}
	}
	assert.Equal(t, 32, tested, "number of error samples")
}

// TestUnexpectedShapeIsNeverEmptyResult checks that a response of an unexpected shape is an error, and
// never an empty list or an empty ID.
func TestUnexpectedShapeIsNeverEmptyResult(t *testing.T) {
	// These are wrong for every endpoint.
	common := []string{`true`, `"abc"`, `17`, `null`, `[1]`, `<html>`, ``, `{"result":[]`}
	wrapped := []string{`{}`, `[]`, `{"result":null}`, `{"data":[]}`, `{"result":17}`, `{"result":false}`}
	lists := []string{`{"result":{}}`, `{"result":true}`, `{"result":"x"}`, `{"result":[null]}`, `{"result":[[]]}`, `{"result":["x"]}`, `{"result":[{}]}`, `{"result":[{"x":1}]}`}
	ids := []string{`{"result":true}`, `{"result":""}`, `{"result":[]}`, `{"result":{}}`, `{"result":"two words"}`}
	pages := []string{
		`{"result":[]}`, `{"result":{}}`, `{"result":{"data":[]}}`, `{"result":{"total":0}}`, `{"result":{"total":0,"data":null}}`,
		`{"result":{"total":0,"data":{}}}`, `{"result":{"total":"none","data":[]}}`, `{"result":{"total":1,"data":[{}]}}`, `{"result":{"total":1,"data":["x"]}}`,
	}
	for op, wrong := range map[string][]string{
		"search-screening-person": slices.Concat(wrapped, lists, []string{
			`{"result":[{"personId":"1","name":"N"}]}`, `{"result":[{"personId":"1","score":null}]}`, `{"result":[{"personId":"1","score":"high"}]}`,
			`{"result":[{"personId":"1","score":"NaN"}]}`, `{"result":[{"score":100}]}`,
		}),
		"get-screening-person-details": append([]string{
			`{"result":{}}`, `{"result":[]}`, `{"result":true}`, `{"result":{"x":1}}`, `{"result":{"firstName":"J","extraDetails":"none"}}`,
			`{"result":{"firstName":"J","extraDetails":17}}`,
		}, wrapped...),
		"monitor-screening-query":                append(ids, wrapped...),
		"remove-screening-query-from-monitoring": nil,
		"list-screening-monitoring-records":      append(pages, wrapped...),
		"add-blacklist-record":                   append(ids, wrapped...),
		"remove-blacklist-record":                append([]string{`{"result":1}`, `{"result":"true"}`, `{"result":[]}`, `{"result":{}}`}, wrapped...),
		"list-blacklist-records":                 append(pages, wrapped...),
		"end-video-call":                         nil,
		"list-groups":                            append(lists, wrapped...),
		"make-group": append([]string{
			`{"result":"6784c6d768cb9e8a891087e1"}`, `{"result":{}}`, `{"result":{"id":""}}`, `{"result":{"id":null}}`, `{"result":{"id":7}}`,
		}, wrapped...),
		"change-group":                    nil,
		"delete-group":                    nil,
		"list-users":                      append(lists, wrapped...),
		"create-user":                     append(ids, wrapped...),
		"get-session-config":              append([]string{`{"result":{}}`, `{"result":[]}`, `{"result":{"name":"N"}}`, `{"result":{"id":"1","steps":{}}}`, `{"result":{"id":"1","steps":["x"]}}`}, wrapped...),
		"list-session-activities":         append(lists, wrapped...),
		"get-session-statistical-summary": append([]string{`{"result":[]}`}, append(lists, wrapped...)...),
	} {
		for _, text := range append(wrong, common...) {
			client, mock := mocked(t)
			answers(mock, apiURL+op, 200, "application/json", text)
			err := serviceCalls[op](t.Context(), client)
			require.Error(t, err, "%s %s", op, text)
			require.ErrorIs(t, err, identomat.ErrUnexpectedResponse, "%s %s", op, text)
		}
	}
}

func TestErrorCodeIsNotAnID(t *testing.T) {
	for _, op := range []string{"monitor-screening-query", "add-blacklist-record", "create-user", "make-group"} {
		for _, code := range []string{`"already-exists"`, `"ACCESS_DENIED"`, `"NEW_CODE"`, `{"id":"ALREADY_EXISTS"}`} {
			client, mock := mocked(t)
			answers(mock, apiURL+op, 200, "application/json", `{"result":`+code+`}`)
			var api *identomat.APIError
			require.ErrorAs(t, serviceCalls[op](t.Context(), client), &api, "%s %s", op, code)
		}
	}
}

func TestServiceErrorsShowNoParameters(t *testing.T) {
	for op, call := range serviceCalls {
		for name, fault := range map[string]roundTrip{
			"transport error with the request": func(r *http.Request) (*http.Response, error) {
				body, _ := io.ReadAll(r.Body)
				return nil, &dumpError{fmt.Sprint(r.Header), string(body)}
			},
			"response with the request": func(r *http.Request) (*http.Response, error) {
				body, _ := io.ReadAll(r.Body)
				return newResponse(500, string(body)), nil
			},
			"truncated result": func(*http.Request) (*http.Response, error) {
				return newResponse(200, `{"result":[{"name":"Wilhelmina Featherstone","documentNumber":"F00-AB-77"}`), nil
			},
			"internalError with a name": func(*http.Request) (*http.Response, error) {
				return newResponse(200, `{"internalError":"no Wilhelmina Featherstone, wilhelmina@example.com"}`), nil
			},
		} {
			err := call(t.Context(), stubbed(t, fault, identomat.WithRetry(identomat.RetryPolicy{MaxAttempts: 1})))
			require.Error(t, err, "%s %s", op, name)
			for e := err; e != nil; e = errors.Unwrap(e) {
				text := fmt.Sprintf("%s %v %+v %#v %q", e, e, e, e, e) + printings(t, e)
				assertSecret(t, text, op+" "+name)
			}
			var dump *dumpError
			assert.NotErrorAs(t, err, &dump)
		}
	}
}

func TestSearchRequestAndResponse(t *testing.T) {
	client, mock := mocked(t)
	expects(t, mock, "search-screening-person", body(`
		"query": {"birthdayTimeFrom": "1980-11-07T13:07:59.790Z", "fullName": "John Smith", "scoreThreshold": 80, "nationality": ["GB"]},
		"offset": 20, "limit": 10`), sample(t, "search-screening-person-default-person-found.json"))
	hits, err := client.Screening.SearchPage(t.Context(), identomat.ScreeningQuery{
		FullName: "John Smith", ScoreThreshold: 80, BirthdayTimeFrom: "1980-11-07T13:07:59.790Z",
		Extra: map[string]any{"nationality": []string{"GB"}},
	}, 20, 10)
	require.NoError(t, err)
	require.Len(t, hits, 1)
	assert.InDelta(t, 100, hits[0].Score, 0)
	assert.Equal(t, []string{"Vladimir Vladimirovich PUTIN", "67137933a2176f0797f1e657", "person"}, []string{hits[0].Name, hits[0].PersonID, hits[0].EntityType})
	assert.Equal(t, []identomat.ScreeningTopic{
		identomat.TopicSanctionedEntity, identomat.TopicWantedPerson, identomat.TopicPersonOfInterest, identomat.TopicPolitician,
	}, hits[0].Topics)
	assert.Contains(t, string(hits[0].Raw()), `"Sanctioned entity"`)

	expects(t, mock, "search-screening-person", body(`"query": {"fullName": "J", "scoreThreshold": 80}, "offset": 0`),
		sample(t, "search-screening-person-default-no-results-for-person.json"))
	hits, err = client.Screening.SearchPage(t.Context(), identomat.ScreeningQuery{FullName: "J", ScoreThreshold: 80}, 0, 0)
	require.NoError(t, err)
	assert.Empty(t, hits)

	assertNothingIsDropped(t, "search-screening-person", "search-screening-person-default-person-found.json", 8,
		func(ctx context.Context, c *identomat.Client) ([]identomat.ScreeningHit, error) {
			return c.Screening.SearchPage(ctx, identomat.ScreeningQuery{FullName: "J", ScoreThreshold: 80}, 0, 0)
		})
}

func TestScreeningTopicSpellings(t *testing.T) {
	for wire, want := range map[string]identomat.ScreeningTopic{
		"Sanctioned Entity": identomat.TopicSanctionedEntity, "sanctioned entity": identomat.TopicSanctionedEntity,
		"Sanction-linked Entity":                      identomat.TopicSanctionLinkedEntity,
		"Counter-sanctioned Entity":                   identomat.TopicCounterSanctionedEntity,
		"Debarred Entity":                             identomat.TopicDebarredEntity,
		"Politician (Politically Exposed Persons)":    identomat.TopicPolitician,
		"Politician":                                  identomat.TopicPolitician,
		"Close Associate":                             identomat.TopicCloseAssociate,
		"Person of Interest":                          identomat.TopicPersonOfInterest,
		"Regulator Action":                            identomat.TopicRegulatorAction,
		"REGULATOR WARNING":                           identomat.TopicRegulatorWarning,
		"Wanted person":                               identomat.TopicWantedPerson,
		"Terrorist":                                   "Terrorist",
		"New (Politically motivated) topic of a kind": "New (Politically motivated) topic of a kind",
	} {
		var hit identomat.ScreeningHit
		require.NoError(t, json.Unmarshal([]byte(`{"personId":"1","score":1,"topics":["`+wire+`"]}`), &hit))
		assert.Equal(t, []identomat.ScreeningTopic{want}, hit.Topics)
	}
}

func TestScreeningHitCoercions(t *testing.T) {
	for _, text := range []string{
		`{"score":97.5,"personId":17,"topics":"Sanctioned entity"}`, `{"score":"97.5","personId":"17","topics":["Sanctioned entity",null],"name":{}}`,
		`{"score":97.50,"personId":"17","name":null,"entityType":[],"topics":["Sanctioned entity"],"new":{"a":1}}`,
	} {
		var hit identomat.ScreeningHit
		require.NoError(t, json.Unmarshal([]byte(text), &hit), text)
		assert.InDelta(t, 97.5, hit.Score, 0)
		assert.Equal(t, "17", hit.PersonID)
		assert.Equal(t, []identomat.ScreeningTopic{identomat.TopicSanctionedEntity}, hit.Topics)
		assert.Equal(t, text, string(hit.Raw()))
	}
}

func TestScreeningPersonRequestAndResponse(t *testing.T) {
	client, mock := mocked(t)
	const name = "get-screening-person-details-default.repaired.json"
	expects(t, mock, "get-screening-person-details", body(`"personId": "67137933a2176f0797f1e657"`), sample(t, name))
	p, err := client.Screening.Person(t.Context(), "67137933a2176f0797f1e657")
	require.NoError(t, err)
	assert.Equal(t, []string{"person", "John", "Doe", "Smith", "male", "US"}, []string{p.EntityType, p.FirstName, p.MiddleName, p.LastName, p.Gender, p.Nationality})
	birthday, err := p.BirthdayTime.Time()
	require.NoError(t, err)
	assert.Equal(t, time.Date(1952, time.October, 7, 0, 0, 0, 0, time.UTC), birthday)
	require.Len(t, p.ExtraDetails, 3)
	assert.Equal(t, "Sanctions", p.ExtraDetails[2].Name)
	assert.Equal(t, "John Doe Smith", p.ExtraDetails[0].Details[0].Name)
	names := p.ExtraDetails[0].Details[0].Properties[1]
	assert.Equal(t, identomat.ScreeningProperty{Name: "Name", Type: identomat.PropertyList, Values: []string{"John Doe Smith", "约翰·多·史密斯", "Джон Доу Сміт"}}, names)
	start := p.ExtraDetails[1].Details[0].Properties[1]
	assert.Equal(t, identomat.PropertyDate, start.Type)
	day, err := identomat.Date(start.Values[0]).Time()
	require.NoError(t, err)
	assert.Equal(t, time.Date(1999, time.August, 16, 0, 0, 0, 0, time.UTC), day)
	assert.Contains(t, string(p.Raw()), "约翰")

	assertNothingIsDropped(t, "get-screening-person-details", name, 57, func(ctx context.Context, c *identomat.Client) (*identomat.ScreeningPerson, error) {
		return c.Screening.Person(ctx, "p")
	})
}

func TestScreeningPropertyValues(t *testing.T) {
	for value, want := range map[string][]string{
		`"active"`: {"active"}, `17`: {"17"}, `["a",1,null,{"b":2}]`: {"a", "1", `{"b":2}`}, `null`: nil, `[]`: {},
	} {
		var p identomat.ScreeningPerson
		require.NoError(t, json.Unmarshal([]byte(`{"lastName":"Smith","birthdayTime":null,"extraDetails":[{"groupName":"G","details":[{"properties":[
			{"propertyName":"P","value":`+value+`,"type":"colour"}]}]}]}`), &p))
		property := p.ExtraDetails[0].Details[0].Properties[0]
		assert.Equal(t, want, property.Values, value)
		assert.Equal(t, identomat.PropertyType("colour"), property.Type)
	}
}

func TestMonitoringRequestsAndResponses(t *testing.T) {
	client, mock := mocked(t)
	expects(t, mock, "monitor-screening-query", body(`"query": {"fullName": "John Smith", "birthdayTimeFrom": "1982-12-12", "new": null}`),
		sample(t, "monitor-screening-query-default.json"))
	id, err := client.Screening.Monitor(t.Context(), identomat.MonitorQuery{
		FullName: "John Smith", BirthdayTimeFrom: "1982-12-12", Extra: map[string]any{"new": nil},
	})
	require.NoError(t, err)
	assert.Equal(t, "64ad3b14090678e34512eab8", id)

	expects(t, mock, "monitor-screening-query", body(`"query": {"fullName": "John"}`), `{"result":"1"}`)
	_, err = client.Screening.Monitor(t.Context(), identomat.MonitorQuery{FullName: "John"})
	require.NoError(t, err)

	for _, response := range []string{sample(t, "remove-screening-query-from-monitoring-default.json"), `[]`} {
		expects(t, mock, "remove-screening-query-from-monitoring", body(`"id": "64ad3b14090678e34512eab8"`), response)
		require.NoError(t, client.Screening.Unmonitor(t.Context(), id))
	}

	const name = "list-screening-monitoring-records-default.json"
	expects(t, mock, "list-screening-monitoring-records", body(`"start": 50, "limit": 25, "date": "2023-07-10T12:26:00.576Z", "new": 1`), sample(t, name))
	page, err := client.Screening.ListMonitoredPage(t.Context(), identomat.MonitoredFilter{
		Date: time.Date(2023, 7, 10, 12, 26, 0, 576_000_000, time.UTC), Extra: map[string]any{"new": 1},
	}, 50, 25)
	require.NoError(t, err)
	assert.Equal(t, []int{0, 50, 4, 4}, []int{page.Offset, page.Limit, page.Total, len(page.Data)})
	assert.Equal(t, []string{"John Smith2", "64ad3ef45fcf054afc73ebb4"}, []string{page.Data[1].FullName, page.Data[1].ID})
	assert.Empty(t, page.Data[0].LastUpdatedDate)
	updated, err := page.Data[1].LastUpdatedDate.Time()
	require.NoError(t, err)
	assert.Equal(t, time.Date(2023, 7, 1, 10, 50, 42, 389_000_000, time.UTC), updated)
	assert.JSONEq(t, `{"fullName":"John Smith4","id":"64ad3f3a8b3f54aca29fc0a3"}`, string(page.Data[3].Raw()))
	assert.Contains(t, string(page.Raw()), `"total"`)

	assertNothingIsDropped(t, "list-screening-monitoring-records", name, 13, func(ctx context.Context, c *identomat.Client) (*identomat.Page[identomat.MonitoredRecord], error) {
		return c.Screening.ListMonitoredPage(ctx, identomat.MonitoredFilter{}, 0, 0)
	})
}

// paging is an endpoint that returns a list in pages. A test serves the pages. Each item's name contains
// its number.
type paging struct {
	op string
	// list yields the names of the items.
	list func(context.Context, *identomat.Client) iter.Seq2[string, error]
	// page returns a response with the items from first to last-1.
	page func(first, last, total int) string
	// offset returns the offset from a request.
	offset func(request map[string]any) any
	// total says whether the responses contain the length of the list.
	total bool
}

func names[T any](seq iter.Seq2[T, error], name func(T) string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for item, err := range seq {
			if !yield(name(item), err) {
				return
			}
		}
	}
}

func joined(first, last int, format string) string {
	var list []string
	for i := first; i < last; i++ {
		list = append(list, fmt.Sprintf(format, i))
	}
	return strings.Join(list, ",")
}

var pagings = map[string]paging{
	"search": {
		op: "search-screening-person",
		list: func(ctx context.Context, c *identomat.Client) iter.Seq2[string, error] {
			return names(c.Screening.Search(ctx, identomat.ScreeningQuery{FullName: "John", ScoreThreshold: 80}), func(h identomat.ScreeningHit) string { return h.Name })
		},
		page: func(first, last, _ int) string {
			return `{"result":[` + joined(first, last, `{"score":90,"name":"n%[1]d","personId":"same"}`) + `]}`
		},
		offset: func(request map[string]any) any { return request["offset"] },
	},
	"monitored": {
		op: "list-screening-monitoring-records",
		list: func(ctx context.Context, c *identomat.Client) iter.Seq2[string, error] {
			return names(c.Screening.ListMonitored(ctx, identomat.MonitoredFilter{}), func(r identomat.MonitoredRecord) string { return r.FullName })
		},
		page: func(first, last, total int) string {
			return fmt.Sprintf(`{"result":{"start":%d,"limit":100,"total":%d,"data":[%s]}}`, first, total, joined(first, last, `{"fullName":"n%[1]d","id":"i%[1]d"}`))
		},
		offset: func(request map[string]any) any { return request["start"] },
		total:  true,
	},
	"blacklist": {
		op: "list-blacklist-records",
		list: func(ctx context.Context, c *identomat.Client) iter.Seq2[string, error] {
			return names(c.Blacklist.List(ctx, identomat.BlacklistFilter{}), func(r identomat.BlacklistRecord) string { return r.LastName })
		},
		page: func(first, last, total int) string {
			return fmt.Sprintf(`{"result":{"offset":%d,"limit":100,"total":%d,"data":[%s]}}`, first, total, joined(first, last, `{"lastName":"n%[1]d","id":"i%[1]d"}`))
		},
		offset: func(request map[string]any) any { return request["query"].(map[string]any)["offset"] },
		total:  true,
	},
}

// served returns a client and the offsets in its requests. pages returns the response to request n,
// counted from 0.
func (p paging) served(t *testing.T, pages func(n, offset int) string) (client *identomat.Client, offsets *[]int) {
	offsets = new([]int)
	return stubbed(t, func(r *http.Request) (*http.Response, error) {
		var request map[string]any
		require.NoError(t, json.NewDecoder(r.Body).Decode(&request))
		offset := int(p.offset(request).(float64))
		*offsets = append(*offsets, offset)
		require.Less(t, len(*offsets), 20, "the iteration must end")
		return newResponse(200, pages(len(*offsets)-1, offset)), nil
	}, identomat.WithRetry(identomat.RetryPolicy{MaxAttempts: 1})), offsets
}

func TestListPaging(t *testing.T) {
	for name, p := range pagings {
		t.Run(name, func(t *testing.T) {
			want := []int{0, 100, 200, 250} // without a total, only an empty page ends the list
			if p.total {
				want = want[:3]
			}
			client, offsets := p.served(t, func(_, offset int) string { return p.page(offset, min(offset+100, 250), 250) })
			list, errs := collect(p.list(t.Context(), client))
			require.Empty(t, errs)
			assert.Equal(t, want, *offsets)
			require.Len(t, list, 250)
			for i, name := range list {
				require.Equal(t, fmt.Sprintf("n%d", i), name)
			}
			// Pages may be shorter than requested.
			client, offsets = p.served(t, func(_, offset int) string { return p.page(offset, min(offset+7, 20), 20) })
			list, errs = collect(p.list(t.Context(), client))
			require.Empty(t, errs)
			assert.Equal(t, []int{0, 7, 14}, (*offsets)[:3])
			assert.Len(t, list, 20)
			// An empty page short of the total is an error: the missing items may include a hit.
			client, offsets = p.served(t, func(_, offset int) string { return p.page(offset, min(offset+7, 20), 30) })
			list, errs = collect(p.list(t.Context(), client))
			if strings.Contains(p.page(0, 0, 30), "total") {
				require.Len(t, errs, 1)
				require.ErrorIs(t, errs[0], identomat.ErrUnexpectedResponse)
			} else {
				require.Empty(t, errs)
			}
			assert.Equal(t, []int{0, 7, 14, 20}, *offsets)
			assert.Len(t, list, 20)

			client, offsets = p.served(t, func(int, int) string { return p.page(0, 0, 0) })
			list, errs = collect(p.list(t.Context(), client))
			require.Empty(t, errs)
			assert.Empty(t, list)
			assert.Equal(t, []int{0}, *offsets)
		})
	}
}

func TestListBreakSendsNothingMore(t *testing.T) {
	for name, p := range pagings {
		t.Run(name, func(t *testing.T) {
			client, offsets := p.served(t, func(_, offset int) string { return p.page(offset, offset+100, 1000) })
			seq := p.list(t.Context(), client)
			assert.Empty(t, *offsets, "nothing must be sent before the iteration begins")
			seen := 0
			for _, err := range seq {
				require.NoError(t, err)
				if seen++; seen == 100 {
					break
				}
			}
			assert.Equal(t, []int{0}, *offsets)
			for range seq { // a second iteration starts over
				break
			}
			assert.Equal(t, []int{0, 0}, *offsets)
		})
	}
}

func TestErrorEndsListAfterItems(t *testing.T) {
	for name, p := range pagings {
		t.Run(name, func(t *testing.T) {
			client, offsets := p.served(t, func(n, offset int) string {
				if n == 1 {
					return `{"argumentError":"invalid-access"}`
				}
				return p.page(offset, offset+100, 1000)
			})
			list, errs := collect(p.list(t.Context(), client))
			assert.Len(t, list, 100)
			require.Len(t, errs, 1)
			require.ErrorIs(t, errs[0], identomat.ErrInvalidKey)
			assert.Len(t, *offsets, 2)

			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			client, _ = p.served(t, func(_, offset int) string { return p.page(offset, offset+100, 1000) })
			list, errs = nil, nil
			for item, err := range p.list(ctx, client) {
				cancel()
				if list = append(list, item); err != nil {
					errs = append(errs, err)
				}
			}
			require.Len(t, errs, 1)
			require.ErrorIs(t, errs[0], context.Canceled)
			assert.Len(t, list, 101)
		})
	}
}

func TestIgnoredOffsetEndsList(t *testing.T) {
	for name, p := range pagings {
		t.Run(name, func(t *testing.T) {
			// Every page contains the whole list.
			client, offsets := p.served(t, func(int, int) string { return p.page(0, 3, 3) })
			list, errs := collect(p.list(t.Context(), client))
			require.Empty(t, errs)
			assert.Equal(t, []string{"n0", "n1", "n2"}, list)
			assert.LessOrEqual(t, len(*offsets), 2)

			// The second page contains items from the first page.
			client, offsets = p.served(t, func(n, _ int) string {
				if n == 0 {
					return p.page(0, 100, 250)
				}
				return strings.Replace(p.page(0, 100, 250), "n0", "n1", 1)
			})
			list, errs = collect(p.list(t.Context(), client))
			require.Len(t, errs, 1)
			require.ErrorIs(t, errs[0], identomat.ErrUnexpectedResponse)
			assert.Contains(t, errs[0].Error(), p.op)
			assert.Len(t, list, 100)
			assert.Equal(t, []int{0, 100}, *offsets)
		})
	}
}

func TestScreeningValidation(t *testing.T) {
	client, mock := mocked(t)
	_, err := client.Screening.SearchPage(t.Context(), identomat.ScreeningQuery{
		FullName: " ", ScoreThreshold: 101, Extra: map[string]any{"fullName": "x", "": 1, "f": func() {}},
	}, -1, -1)
	assertProblems(t, err, "search-screening-person", "query.fullName", "query.scoreThreshold", "offset", "limit", "Extra", "Extra.f", "Extra.fullName")
	_, errs := collect(client.Screening.Search(t.Context(), identomat.ScreeningQuery{FullName: "J", ScoreThreshold: -1}))
	require.Len(t, errs, 1)
	assertProblems(t, errs[0], "search-screening-person", "query.scoreThreshold")
	_, errs = collect(client.Screening.Search(t.Context(), identomat.ScreeningQuery{FullName: "J"}))
	require.Len(t, errs, 1)
	assert.EqualError(t, errs[0], "identomat: search-screening-person: invalid request: "+
		"query.scoreThreshold: must be set, from 1 to 100, such as 80")
	_, err = client.Screening.Person(t.Context(), "")
	assertProblems(t, err, "get-screening-person-details", "personId")
	_, err = client.Screening.Monitor(t.Context(), identomat.MonitorQuery{Extra: map[string]any{"birthdayTimeFrom": ""}})
	assertProblems(t, err, "monitor-screening-query", "query.fullName", "Extra.birthdayTimeFrom")
	assertProblems(t, client.Screening.Unmonitor(t.Context(), ""), "remove-screening-query-from-monitoring", "id")
	_, err = client.Screening.ListMonitoredPage(t.Context(), identomat.MonitoredFilter{Extra: map[string]any{"companyKey": ""}}, -1, -1)
	assertProblems(t, err, "list-screening-monitoring-records", "start", "limit", "Extra.companyKey")
	assert.Zero(t, mock.GetTotalCallCount())
	for _, threshold := range []int{1, 100} {
		answers(mock, apiURL+"search-screening-person", 200, "application/json", `{"result":[]}`)
		_, err = client.Screening.SearchPage(t.Context(), identomat.ScreeningQuery{FullName: "J", ScoreThreshold: threshold}, 0, 1)
		require.NoError(t, err)
	}

	client, mock = mocked(t, identomat.WithoutValidation())
	expects(t, mock, "search-screening-person", body(`"query": {"fullName": "", "scoreThreshold": 200}, "offset": -1, "limit": -1`), `{"result":[]}`)
	_, err = client.Screening.SearchPage(t.Context(), identomat.ScreeningQuery{ScoreThreshold: 200}, -1, -1)
	require.NoError(t, err)
	expects(t, mock, "search-screening-person", body(`"query": {"fullName": "J", "scoreThreshold": 0}, "offset": 0`), `{"result":[]}`)
	_, err = client.Screening.SearchPage(t.Context(), identomat.ScreeningQuery{FullName: "J"}, 0, 0)
	require.NoError(t, err)
	_, err = client.Screening.SearchPage(t.Context(), identomat.ScreeningQuery{Extra: map[string]any{"fullName": "other", "f": func() {}}}, 0, 0)
	assertProblems(t, err, "search-screening-person", "Extra.f", "Extra.fullName")
}

func TestScreeningWithFake(t *testing.T) {
	server := identomattest.NewServer(t)
	client, ctx := server.Client(), t.Context()
	hits, errs := collect(client.Screening.Search(ctx, identomat.ScreeningQuery{FullName: "John Smith", ScoreThreshold: 80}))
	require.Empty(t, errs)
	require.Len(t, hits, 2)
	assert.Contains(t, hits[0].Topics, identomat.TopicSanctionedEntity)
	page, err := client.Screening.SearchPage(ctx, identomat.ScreeningQuery{FullName: "John Smith", ScoreThreshold: 80}, 1, 1)
	require.NoError(t, err)
	require.Len(t, page, 1)
	assert.Equal(t, hits[1].PersonID, page[0].PersonID)
	hits, errs = collect(client.Screening.Search(ctx, identomat.ScreeningQuery{
		FullName: "John Smith", ScoreThreshold: 80, BirthdayTimeFrom: "1970-01-01",
	}))
	require.Empty(t, errs)
	require.Len(t, hits, 1)
	person, err := client.Screening.Person(ctx, hits[0].PersonID)
	require.NoError(t, err)
	assert.Equal(t, "John", person.FirstName)
	assert.Empty(t, person.ExtraDetails)

	ids := map[string]string{}
	for i := range 120 {
		name := fmt.Sprintf("John Smith %d", i)
		ids[name], err = client.Screening.Monitor(ctx, identomat.MonitorQuery{FullName: name})
		require.NoError(t, err)
	}
	_, err = client.Screening.Monitor(ctx, identomat.MonitorQuery{FullName: "John Smith 7"})
	require.ErrorIs(t, err, identomat.ErrAlreadyExists)
	require.NoError(t, server.UpdateMonitored(ids["John Smith 7"]))
	records, errs := collect(client.Screening.ListMonitored(ctx, identomat.MonitoredFilter{}))
	require.Empty(t, errs)
	found := map[string]string{}
	for _, r := range records {
		found[r.FullName] = r.ID
		assert.Equal(t, r.FullName == "John Smith 7", r.LastUpdatedDate != "")
	}
	assert.Equal(t, ids, found)
	assert.Equal(t, 2, server.Count("list-screening-monitoring-records"))
	for id := range maps.Values(ids) {
		require.NoError(t, client.Screening.Unmonitor(ctx, id))
	}
	rest, err := client.Screening.ListMonitoredPage(ctx, identomat.MonitoredFilter{Date: time.Now().Add(-time.Hour)}, 0, 10)
	require.NoError(t, err)
	assert.Zero(t, rest.Total)
}

func TestScreeningDetailsAreWholeOrRefused(t *testing.T) {
	for _, details := range []string{
		`{"Sanctions":[{"detailName":"OFAC"}]}`, `["OFAC SDN"]`, `[["OFAC"]]`, `[{"groupName":"Sanctions","details":"OFAC"}]`,
		`[{"groupName":"Sanctions","details":[{"properties":{"Program":"SDGT"}}]}]`,
		`[{"groupName":"Sanctions","details":[{"properties":[{"propertyName":"Program","value":{"a":"SDGT"}}]}]}]`,
		`[{"groupName":"S"}],"extraDetails":[]`, `[],"ExtraDetails":[{"groupName":"S"}]`,
	} {
		client := responding(t, 200, `{"result":{"firstName":"J","extraDetails":`+details+`}}`, false)
		_, err := client.Screening.Person(t.Context(), "p")
		assert.ErrorIs(t, err, identomat.ErrUnexpectedResponse, details)
	}
}

func TestScreeningTopicsInAnotherCaseAreRefused(t *testing.T) {
	client := responding(t, 200, `{"result":[{"score":100,"name":"J","personId":"p","Topics":["Sanctioned entity"]}]}`, false)
	_, err := client.Screening.SearchPage(t.Context(), identomat.ScreeningQuery{FullName: "J", ScoreThreshold: 80}, 0, 10)
	assert.ErrorIs(t, err, identomat.ErrUnexpectedResponse)
}

// The API reference says only "ISO 8601".
func TestDatesMayHaveAnyFormOfISO8601(t *testing.T) {
	valid := []identomat.Date{
		"", "1984-02-29", "19840229", "1984-060", "1984060", "1984-02", "1984", "1984-W09-3", "1984W093", "1984-W09",
		"1984-02-29T00:00:00", "1984-02-29T00:00:00.000Z", "1984-02-29T00:00:00,5Z", "1984-02-29T04:00:00+04:00", "1984-02-29T04:00:00+0400",
		"1984-02-29T04:00+04", "1984-02-29T04:00", "1984-02-29T04Z", "19840229T040000Z", "19840229T0400", "1984-02-29 04:00:00",
	}
	invalid := []identomat.Date{
		"2/29/1984", "1/1/1984", "29.02.1984", "1984/02/29", "1985-02-29", "1985-13-01", "1985-366", "1985-W54-1", "1985-W00-1", "1985-W20-8", "1985-W20-0",
		"in 1985", "84-02-29", "1984-2-29", "1984-02-29T", "1984-02-29T25:00", "1984-02-29T00:00:00 UTC", "T00:00", " 1984-02-29", "W09",
	}
	client, mock := mocked(t)
	answers(mock, apiURL+"add-blacklist-record", 200, "application/json", `{"result":"r1"}`)
	answers(mock, apiURL+"monitor-screening-query", 200, "application/json", `{"result":"m1"}`)
	answers(mock, apiURL+"search-screening-person", 200, "application/json", `{"result":[]}`)
	send := func(d identomat.Date) (add, monitor, search error) {
		_, add = client.Blacklist.Add(t.Context(), identomat.BlacklistEntry{LastName: "W", Birthday: d, Reason: "r"})
		_, monitor = client.Screening.Monitor(t.Context(), identomat.MonitorQuery{FullName: "W", BirthdayTimeFrom: d})
		_, search = client.Screening.SearchPage(t.Context(), identomat.ScreeningQuery{FullName: "W", ScoreThreshold: 80, BirthdayTimeFrom: d}, 0, 1)
		return add, monitor, search
	}
	for _, d := range valid {
		add, monitor, search := send(d)
		assert.NoError(t, errors.Join(add, monitor, search), string(d))
	}
	for _, d := range invalid {
		add, monitor, search := send(d)
		assert.ErrorContains(t, add, "add-blacklist-record: invalid request: query.birthday: must be a date in ISO 8601", string(d))
		assert.ErrorContains(t, monitor, "monitor-screening-query: invalid request: query.birthdayTimeFrom: must be a date in ISO 8601", string(d))
		assert.ErrorContains(t, search, "search-screening-person: invalid request: query.birthdayTimeFrom: must be a date in ISO 8601", string(d))
	}
}
