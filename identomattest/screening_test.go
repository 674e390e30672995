package identomattest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestScreeningSearch(t *testing.T) {
	srv := NewServer(t)
	search := func(query, rest string) (names []string) {
		var resp struct {
			Result []struct {
				Score    int
				Name     string
				PersonID string `json:"personId"`
			}
		}
		body := api(t, srv, "search-screening-person", `"query":{`+query+`}`+rest).body
		require.NoError(t, json.Unmarshal([]byte(body), &resp), body)
		require.NotNil(t, resp.Result, body)
		for _, hit := range resp.Result {
			names = append(names, fmt.Sprintf("%d %s %s", hit.Score, hit.Name, hit.PersonID[22:]))
		}
		return names
	}
	smiths := []string{"100 John SMITH 01", "100 John SMITH 02", "50 Jane SMITH 03", "33 Smith Invented Trading LLC 05"}
	assert.Equal(t, smiths[:2], search(`"fullName":"John Smith","scoreThreshold":80`, ``))
	assert.Equal(t, smiths[:2], search(`"fullName":"SMITH john","scoreThreshold":100`, ``))
	assert.Equal(t, smiths, search(`"fullName":"john smith","scoreThreshold":0`, ``))
	assert.Equal(t, smiths[1:3], search(`"fullName":"john smith","scoreThreshold":0`, `,"offset":1,"limit":2`))
	assert.Empty(t, search(`"fullName":"john smith","scoreThreshold":0`, `,"offset":9`))
	assert.Equal(t, smiths[1:2], search(`"fullName":"John Smith","scoreThreshold":80,"birthdayTimeFrom":"1980-11-07T13:07:59.790Z"`, ``))
	assert.Equal(t, []string{"100 Viktor Invented EXAMPLOV 04"}, search(`"fullName":"viktor examplov","scoreThreshold":90`, ``), "an alias")
	assert.Equal(t, []string{"100 Bank of Nowhere 06"}, search(`"fullName":"Bank of Nowhere","scoreThreshold":100`, ``))
	assert.Equal(t, `{"result":[]}`, api(t, srv, "search-screening-person", `"query":{"fullName":"Nobody","scoreThreshold":1}`).body)

	body := api(t, srv, "search-screening-person", `"query":{"fullName":"Viktor Examplov","scoreThreshold":90}`).body
	assert.Equal(t, shape(t, sample(t, "search-screening-person-default-person-found")), shape(t, body))
}

func TestScreeningSearchRefuses(t *testing.T) {
	srv := NewServer(t)
	for _, members := range []string{
		``, `"query":{}`, `"query":"John"`,
		`"query":{"fullName":"John Smith"}`,
		`"query":{"scoreThreshold":80}`,
		`"query":{"fullName":"","scoreThreshold":80}`,
		`"query":{"fullName":"John","scoreThreshold":"80"}`,
		`"query":{"fullName":"John","scoreThreshold":80.5}`,
		`"query":{"fullName":"John","scoreThreshold":101}`,
		`"query":{"fullName":"John","scoreThreshold":80,"birthdayTimeFrom":"7 Nov 1980"}`,
		`"query":{"fullName":"John","scoreThreshold":80,"name":"x"}`,
		`"query":{"fullName":"John","scoreThreshold":80},"offset":-1`,
		`"query":{"fullName":"John","scoreThreshold":80},"limit":"10"`,
		`"fullName":"John","scoreThreshold":80`,
	} {
		assert.Equal(t, errWrong, api(t, srv, "search-screening-person", members).body, members)
	}
}

func TestScreeningPersonDetails(t *testing.T) {
	srv := NewServer(t)
	for _, e := range screeningList {
		body := api(t, srv, "get-screening-person-details", `"personId":"`+e.id+`"`).body
		assert.Contains(t, body, `{"result":{"entityType":"`+e.entityType+`"`)
	}
	body := api(t, srv, "get-screening-person-details", `"personId":"`+screeningList[0].id+`"`).body
	assert.Equal(t, shape(t, sample(t, "get-screening-person-details-default.repaired")), shape(t, body))
	assert.Equal(t, errWrong, api(t, srv, "get-screening-person-details", `"personId":"unknown"`).body)
	assert.Equal(t, errWrong, api(t, srv, "get-screening-person-details", ``).body)
}

func TestMonitoring(t *testing.T) {
	now := time.Date(2023, 7, 1, 10, 0, 0, 0, time.UTC)
	srv := NewServer(t, WithClock(func() time.Time { return now }))
	list := func(members string) string { return api(t, srv, "list-screening-monitoring-records", members).body }
	monitor := func(query string) string { return api(t, srv, "monitor-screening-query", `"query":{`+query+`}`).body }
	id := func(body string) string { return strings.NewReplacer(`{"result":"`, "", `"}`, "").Replace(body) }
	assert.Equal(t, `{"result":{"start":0,"limit":50,"total":0,"data":[]}}`, list(``))

	first := monitor(`"fullName":"John Smith","birthdayTimeFrom":"1982-12-12"`)
	require.Regexp(t, `^\{"result":"[0-9a-f]{24}"\}$`, first)
	assert.Equal(t, `{"argumentError":"already-exists"}`, monitor(`"fullName":"john smith","birthdayTimeFrom":"1982-12-12T00:00:00.000Z"`))
	second := monitor(`"fullName":"John Smith"`)
	require.Regexp(t, `^\{"result":`, second)

	now = now.Add(24 * time.Hour)
	require.NoError(t, srv.UpdateMonitored(id(second)))
	record1 := `{"fullName":"John Smith","id":"` + id(first) + `"}`
	record2 := `{"fullName":"John Smith","id":"` + id(second) + `","lastUpdatedDate":"2023-07-02T10:00:00.000Z"}`
	assert.Equal(t, `{"result":{"start":0,"limit":50,"total":2,"data":[`+record1+`,`+record2+`]}}`, list(``))
	assert.Equal(t, shape(t, sample(t, "list-screening-monitoring-records-default")), shape(t, list(``)))
	assert.Equal(t, `{"result":{"start":1,"limit":1,"total":2,"data":[`+record2+`]}}`, list(`"start":1,"limit":1`))
	assert.Equal(t, `{"result":{"start":0,"limit":50,"total":1,"data":[`+record2+`]}}`, list(`"date":"2023-07-01T12:00:00.000Z"`))
	for _, members := range []string{`"start":"0"`, `"start":-1`, `"date":"yesterday"`, `"offset":0`} {
		assert.Equal(t, errWrong, list(members), members)
	}

	remove := func(id string) string {
		return api(t, srv, "remove-screening-query-from-monitoring", `"id":"`+id+`"`).body
	}
	assert.Equal(t, `{}`, remove(id(first)))
	assert.Equal(t, errWrong, remove(id(first)))
	assert.Equal(t, errWrong, api(t, srv, "remove-screening-query-from-monitoring", ``).body)
	assert.Contains(t, list(``), `"total":1`)
	require.Regexp(t, `^\{"result":`, monitor(`"fullName":"John Smith","birthdayTimeFrom":"1982-12-12"`))

	for _, query := range []string{``, `"fullName":7`, `"fullName":"A","birthdayTimeFrom":"12.12.1982"`, `"fullName":"A","scoreThreshold":80`} {
		assert.Equal(t, errWrong, monitor(query), query)
	}
}
