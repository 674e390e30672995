package identomattest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestBlacklist(t *testing.T) {
	srv := NewServer(t)
	add := func(query string) string { return api(t, srv, "add-blacklist-record", `"query":{`+query+`}`).body }
	list := func(members string) string { return api(t, srv, "list-blacklist-records", members).body }
	const doe = `"firstName":"John","lastName":"Doe","personalNumber":"012345678901","documentNumber":"123ABC123",
		"birthday":"1980-01-01","reason":"Reason for adding to blacklist"`
	assert.Equal(t, `{"result":{"offset":0,"limit":100,"total":0,"data":[]}}`, list(``))

	first := add(doe)
	require.Regexp(t, `^\{"result":"[0-9a-f]{24}"\}$`, first)
	assert.Equal(t, `{"argumentError":"already-exists"}`, add(strings.ReplaceAll(doe, "Reason", "Other reason")))
	assert.Equal(t, `{"argumentError":"already-exists"}`, add(strings.ReplaceAll(doe, `1980-01-01`, `1980-01-01T00:00:00.000Z`)))
	id := strings.NewReplacer(`{"result":"`, "", `"}`, "").Replace(first)
	assert.JSONEq(t, strings.ReplaceAll(sample(t, "list-blacklist-records-default"), "682b09e4400b3a00067ebcf7", id), list(``))

	require.Regexp(t, `^\{"result":`, add(`"documentNumber":"X1","reason":"forged"`))
	assert.Contains(t, list(`"query":{"offset":1,"limit":1}`),
		`{"result":{"offset":1,"limit":1,"total":2,"data":[{"firstName":null,"lastName":null,"documentNumber":"X1",`+
			`"personalNumber":null,"birthday":null,"notes":null,"reason":"forged","id":"`)
	assert.Equal(t, `{"result":{"offset":5,"limit":100,"total":2,"data":[]}}`, list(`"query":{"offset":5}`))

	remove := func(id string) string { return api(t, srv, "remove-blacklist-record", `"id":"`+id+`"`).body }
	assert.Equal(t, `{"result":true}`, remove(id))
	assert.Equal(t, errNotFound, remove(id))
	assert.Contains(t, list(``), `"total":1`)
	require.Regexp(t, `^\{"result":`, add(doe))

	for _, birthday := range []string{"19800101", "1980-01", "1980", "1980-001", "1980-01-01T10:30", "1980-01-01T10:30:00+04:00", "1980-01-01T10:30:00+0400", "19800101T103000Z"} {
		assert.Regexp(t, `^\{"result":`, add(`"firstName":"`+birthday+`","birthday":"`+birthday+`","reason":"a form of ISO 8601"`), birthday)
	}
	for _, query := range []string{
		``, `"reason":"none"`, `"firstName":"John"`, `"firstName":"","reason":"empty"`, `"firstName":"John","reason":""`,
		`"firstName":7,"reason":"a number"`, `"birthday":"1/8/1980","reason":"no ISO date"`, `"name":"John","reason":"unknown"`,
	} {
		assert.Equal(t, errWrong, add(query), query)
	}
	assert.Equal(t, errWrong, api(t, srv, "add-blacklist-record", `"firstName":"John","reason":"beside the query"`).body)
	assert.Equal(t, errWrong, api(t, srv, "remove-blacklist-record", ``).body)
	for _, members := range []string{`"offset":0`, `"query":{"offset":"0"}`, `"query":{"offset":-1}`, `"query":{"total":1}`, `"query":[]`} {
		assert.Equal(t, errWrong, list(members), members)
	}
}
