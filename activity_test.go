package identomat_test

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/identomattest"
)

func TestActivitiesRequestAndResponse(t *testing.T) {
	client, mock := mocked(t)
	expects(t, mock, "list-session-activities", body(`"sessionId": "`+string(token)+`"`), sample(t, "list-session-activities-default.json"))
	activities, err := client.Sessions.Activities(t.Context(), token)
	require.NoError(t, err)
	require.Len(t, activities, 2)
	assert.Equal(t, identomat.ActivityPageLoaded, activities[0].Type)
	assert.Equal(t, "5ff45878f44e95bbf987a801", activities[1].ID)
	at, err := activities[1].Time.Time()
	require.NoError(t, err)
	assert.Equal(t, time.Date(2011, time.December, 29, 11, 30, 39, 86_000_000, time.UTC), at)
	assert.Equal(t, `[]`, string(activities[0].Data))

	expects(t, mock, "list-session-activities", body(`"sessionId": "`+string(token)+`"`),
		`{"result":[{"type":"STEP_\u10d0","time":null,"data":{"b":1,"a":[2.50]},"new":1},{"type":"T"}]}`)
	activities, err = client.Sessions.Activities(t.Context(), token)
	require.NoError(t, err)
	assert.Equal(t, identomat.ActivityType("STEP_ა"), activities[0].Type)
	assert.Equal(t, `{"b":1,"a":[2.50]}`, string(activities[0].Data))
	assert.Contains(t, string(activities[0].Raw()), `"new":1`)
	assert.Empty(t, activities[1].Data)

	assertNothingIsDropped(t, "list-session-activities", "list-session-activities-default.json", 8,
		func(ctx context.Context, c *identomat.Client) ([]identomat.Activity, error) {
			return c.Sessions.Activities(ctx, token)
		})
}

func TestStatisticsRequestAndResponse(t *testing.T) {
	client, mock := mocked(t)
	expects(t, mock, "get-session-statistical-summary", body(`"sessionId": "`+string(token)+`"`), sample(t, "get-session-statistical-summary-default.json"))
	s, err := client.Sessions.Statistics(t.Context(), token)
	require.NoError(t, err)
	assert.Equal(t, identomat.Date("2021-12-29T11:30:40.000Z"), s.SessionStartDate)
	assert.EqualValues(t, 8000, *s.SessionTimeSpan)
	assert.Equal(t, 1, s.ScanDocumentAttempts)
	began, err := s.SessionStartDate.Time()
	require.NoError(t, err)
	ended, err := s.LivenessEndTime.Time()
	require.NoError(t, err)
	assert.Equal(t, ended.Sub(began).Milliseconds(), *s.SessionTimeSpan, "SessionTimeSpan must be in milliseconds")
	for _, reason := range []any{s.ScanDocumentFailReason, s.LivenessFailReasons, s.SessionTerminationStep, s.SessionTerminationReasons} {
		assert.Nil(t, reason)
	}
	assert.Empty(t, s.More)
	assertNothingIsDropped(t, "get-session-statistical-summary", "get-session-statistical-summary-default.json", 11,
		func(ctx context.Context, c *identomat.Client) (*identomat.Statistics, error) {
			return c.Sessions.Statistics(ctx, token)
		})

	answers(mock, apiURL+"get-session-statistical-summary", 200, "application/json", `{"result":[
		{"sessionStartDate":null,"sessionTimeSpan":null,"scanDocumentAttempts":null,"livenessFailReasons":["A",{"b":1}],"sessionTerminationStep":"liveness","new":1},
		{"sessionStartDate":"2021-12-29T11:30:40.000Z","sessionTimeSpan":0}]}`)
	s, err = client.Sessions.Statistics(t.Context(), token)
	require.NoError(t, err)
	assert.Nil(t, s.SessionTimeSpan)
	assert.Empty(t, s.SessionStartDate)
	assert.Equal(t, []any{"A", map[string]any{"b": json.Number("1")}}, s.LivenessFailReasons)
	assert.Equal(t, "liveness", s.SessionTerminationStep)
	assert.Contains(t, string(s.Raw()), `"new":1`)
	require.Len(t, s.More, 1)
	assert.Zero(t, *s.More[0].SessionTimeSpan)
}

func TestVideoCallEnd(t *testing.T) {
	client, mock := mocked(t)
	for _, response := range []string{sample(t, "end-video-call-default.json"), `[]`} {
		expects(t, mock, "end-video-call", body(`"sessionId": "`+string(token)+`"`), response)
		require.NoError(t, client.VideoCalls.End(t.Context(), token))
	}
}

func TestEmptySessionTokenIsNotSent(t *testing.T) {
	client, mock := mocked(t)
	_, err := client.Sessions.Activities(t.Context(), "")
	assertProblems(t, err, "list-session-activities", "sessionId")
	_, err = client.Sessions.Statistics(t.Context(), "")
	assertProblems(t, err, "get-session-statistical-summary", "sessionId")
	assertProblems(t, client.VideoCalls.End(t.Context(), ""), "end-video-call", "sessionId")
	assert.Zero(t, mock.GetTotalCallCount())
}

func TestActivitiesAndStatisticsWithFake(t *testing.T) {
	server := identomattest.NewServer(t)
	client, ctx := server.Client(), t.Context()
	session, err := client.Sessions.Begin(ctx, identomat.BeginRequest{Steps: identomat.Steps{identomat.Liveness(), identomat.VideoCall()}})
	require.NoError(t, err)
	resp, err := http.Get(session.URL)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	activities, err := client.Sessions.Activities(ctx, session.Token)
	require.NoError(t, err)
	require.Len(t, activities, 1)
	assert.Equal(t, identomat.ActivityPageLoaded, activities[0].Type)

	statistics, err := client.Sessions.Statistics(ctx, session.Token)
	require.NoError(t, err)
	assert.Nil(t, statistics.SessionTimeSpan)
	assert.Empty(t, statistics.LivenessStartTime)
	require.NoError(t, server.Approve(session.Token))
	statistics, err = client.Sessions.Statistics(ctx, session.Token)
	require.NoError(t, err)
	assert.NotNil(t, statistics.SessionTimeSpan)
	assert.NotEmpty(t, statistics.LivenessStartTime)

	require.NoError(t, client.VideoCalls.End(ctx, session.Token))
	_, err = client.Sessions.Activities(ctx, "unknown")
	require.ErrorIs(t, err, identomat.ErrSessionNotFound)
	_, err = client.Sessions.Statistics(ctx, "unknown")
	require.ErrorIs(t, err, identomat.ErrSessionNotFound)
	require.ErrorIs(t, client.VideoCalls.End(ctx, "unknown"), identomat.ErrSessionNotFound)
}

func TestRawDecodesToTheSameHit(t *testing.T) {
	client, mock := mocked(t)
	answers(mock, apiURL+"search-screening-person", 200, "application/json", sample(t, "search-screening-person-default-person-found.json"))
	hits, err := client.Screening.SearchPage(t.Context(), identomat.ScreeningQuery{FullName: "P", ScoreThreshold: 80}, 0, 0)
	require.NoError(t, err)
	var hit identomat.ScreeningHit
	require.NoError(t, json.Unmarshal(hits[0].Raw(), &hit))
	assert.Equal(t, hits[0], hit)
}
