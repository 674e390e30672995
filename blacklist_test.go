package identomat_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/identomattest"
)

func TestBlacklistRequestsAndResponses(t *testing.T) {
	client, mock := mocked(t)
	expects(t, mock, "add-blacklist-record", body(`"query": {
		"firstName": "John", "lastName": "Doe", "personalNumber": "12345678901", "documentNumber": "123ABC123",
		"birthday": "1980-01-01T00:00:00.000Z", "reason": "Reason for adding to blacklist", "email": "j@example.com"}`),
		sample(t, "add-blacklist-record-default.json"))
	id, err := client.Blacklist.Add(t.Context(), identomat.BlacklistEntry{
		FirstName: "John", LastName: "Doe", PersonalNumber: "12345678901", DocumentNumber: "123ABC123",
		Birthday: "1980-01-01T00:00:00.000Z", Reason: "Reason for adding to blacklist", Extra: map[string]any{"email": "j@example.com"},
	})
	require.NoError(t, err)
	assert.Equal(t, "682b09e4400b3a00067ebcf7", id)

	expects(t, mock, "add-blacklist-record", body(`"query": {"documentNumber": "AB1", "reason": "forged"}`), `{"result":"r1"}`)
	_, err = client.Blacklist.Add(t.Context(), identomat.BlacklistEntry{DocumentNumber: "AB1", Reason: "forged"})
	require.NoError(t, err)

	expects(t, mock, "remove-blacklist-record", body(`"id": "682b09e4400b3a00067ebcf7"`), sample(t, "remove-blacklist-record-default.json"))
	require.NoError(t, client.Blacklist.Remove(t.Context(), id))

	const name = "list-blacklist-records-default.json"
	expects(t, mock, "list-blacklist-records", body(`"query": {"offset": 30, "limit": 10, "reason": "forged"}`), sample(t, name))
	page, err := client.Blacklist.ListPage(t.Context(), identomat.BlacklistFilter{Extra: map[string]any{"reason": "forged"}}, 30, 10)
	require.NoError(t, err)
	assert.Equal(t, []int{0, 100, 1, 1}, []int{page.Offset, page.Limit, page.Total, len(page.Data)})
	r := page.Data[0]
	assert.Equal(t, []string{"John", "Doe", "123ABC123", "012345678901", "Reason for adding to blacklist", "682b09e4400b3a00067ebcf7", ""},
		[]string{r.FirstName, r.LastName, r.DocumentNumber, r.PersonalNumber, r.Reason, r.ID, r.Notes})
	birthday, err := r.Birthday.Time()
	require.NoError(t, err)
	assert.Equal(t, time.Date(1980, time.January, 1, 0, 0, 0, 0, time.UTC), birthday)
	assert.Contains(t, string(r.Raw()), `"notes": null`)

	expects(t, mock, "list-blacklist-records", body(`"query": {"offset": 0}`), sample(t, "list-blacklist-records-norecord.json"))
	page, err = client.Blacklist.ListPage(t.Context(), identomat.BlacklistFilter{}, 0, 0)
	require.NoError(t, err)
	assert.Zero(t, page.Total)
	assert.Empty(t, page.Data)

	assertNothingIsDropped(t, "list-blacklist-records", name, 11, func(ctx context.Context, c *identomat.Client) (*identomat.Page[identomat.BlacklistRecord], error) {
		return c.Blacklist.ListPage(ctx, identomat.BlacklistFilter{}, 0, 0)
	})
}

func TestBlacklistValidation(t *testing.T) {
	client, mock := mocked(t)
	for _, c := range []struct {
		entry identomat.BlacklistEntry
		want  []string
	}{
		{identomat.BlacklistEntry{}, []string{"query", "query.reason"}},
		{identomat.BlacklistEntry{Reason: "r"}, []string{"query"}},
		{identomat.BlacklistEntry{Reason: "r", FirstName: " ", Extra: map[string]any{"email": "e"}}, []string{"query"}},
		{identomat.BlacklistEntry{FirstName: "Wilhelmina", Reason: " "}, []string{"query.reason"}},
		{identomat.BlacklistEntry{Birthday: "2/29/1984", Reason: "r"}, []string{"query.birthday"}},
		{identomat.BlacklistEntry{Birthday: "1985-02-29", Reason: "r"}, []string{"query.birthday"}},
		{identomat.BlacklistEntry{Birthday: "in 1985", FirstName: "W", Reason: "r"}, []string{"query.birthday"}},
		{identomat.BlacklistEntry{LastName: "W", Reason: "r", Extra: map[string]any{"reason": "s", "birthday": "1/1/1"}}, []string{"Extra.birthday", "Extra.reason"}},
	} {
		_, err := client.Blacklist.Add(t.Context(), c.entry)
		assertProblems(t, err, "add-blacklist-record", c.want...)
	}
	assertProblems(t, client.Blacklist.Remove(t.Context(), ""), "remove-blacklist-record", "id")
	_, err := client.Blacklist.ListPage(t.Context(), identomat.BlacklistFilter{Extra: map[string]any{"offset": 1}}, -1, -1)
	assertProblems(t, err, "list-blacklist-records", "query.offset", "query.limit", "Extra.offset")
	_, errs := collect(client.Blacklist.List(t.Context(), identomat.BlacklistFilter{Extra: map[string]any{"limit": 1}}))
	require.Len(t, errs, 1)
	assertProblems(t, errs[0], "list-blacklist-records", "Extra.limit")
	assert.Zero(t, mock.GetTotalCallCount())

	answers(mock, apiURL+"add-blacklist-record", 200, "application/json", `{"result":"r1"}`)
	_, err = client.Blacklist.Add(t.Context(), identomat.BlacklistEntry{Birthday: "1984-02-29", Reason: "r"})
	require.NoError(t, err)

	client, mock = mocked(t, identomat.WithoutValidation())
	expects(t, mock, "add-blacklist-record", body(`"query": {"birthday": "2/29/1984"}`), sample(t, "add-blacklist-record-wrongparameters.json"))
	_, err = client.Blacklist.Add(t.Context(), identomat.BlacklistEntry{Birthday: "2/29/1984"})
	require.ErrorIs(t, err, identomat.ErrWrongParameters)
	expects(t, mock, "remove-blacklist-record", body(`"id": ""`), sample(t, "remove-blacklist-record-idnotfound.json"))
	require.ErrorIs(t, client.Blacklist.Remove(t.Context(), ""), identomat.ErrNotFound)
}

func TestBlacklistWithFake(t *testing.T) {
	server := identomattest.NewServer(t)
	client, ctx := server.Client(), t.Context()
	for i := range 105 {
		_, err := client.Blacklist.Add(ctx, identomat.BlacklistEntry{DocumentNumber: fmt.Sprint("AB", i), Birthday: "1990-05-14", Reason: "forged"})
		require.NoError(t, err)
	}
	_, err := client.Blacklist.Add(ctx, identomat.BlacklistEntry{DocumentNumber: "AB7", Birthday: "1990-05-14", Reason: "again"})
	require.ErrorIs(t, err, identomat.ErrAlreadyExists)
	records, errs := collect(client.Blacklist.List(ctx, identomat.BlacklistFilter{}))
	require.Empty(t, errs)
	require.Len(t, records, 105)
	assert.Equal(t, "AB104", records[104].DocumentNumber)
	assert.Empty(t, records[104].FirstName)
	assert.Equal(t, 2, server.Count("list-blacklist-records"))
	page, err := client.Blacklist.ListPage(ctx, identomat.BlacklistFilter{}, 100, 3)
	require.NoError(t, err)
	assert.Equal(t, []int{100, 3, 105, 3}, []int{page.Offset, page.Limit, page.Total, len(page.Data)})
	require.NoError(t, client.Blacklist.Remove(ctx, records[0].ID))
	require.ErrorIs(t, client.Blacklist.Remove(ctx, records[0].ID), identomat.ErrNotFound)

	// Add is not retried after a lost response, because the record may exist.
	entry := identomat.BlacklistEntry{LastName: "Lost", Reason: "r"}
	server.Fault("add-blacklist-record", identomattest.ResetAfterRead().AfterProcessing(), 1)
	before := server.Count("add-blacklist-record")
	_, err = client.Blacklist.Add(ctx, entry)
	var lost *identomat.TransportError
	require.ErrorAs(t, err, &lost)
	assert.True(t, lost.MaybeProcessed)
	assert.Equal(t, before+1, server.Count("add-blacklist-record"))
	_, err = client.Blacklist.Add(ctx, entry)
	require.ErrorIs(t, err, identomat.ErrAlreadyExists)
}
