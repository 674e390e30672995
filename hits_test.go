package identomat_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
)

// A hit must be decoded in the same way whether or not another hit on the page has fields of
// unexpected types.
func TestHitIndependentOfOtherHits(t *testing.T) {
	const coerced = `{"score":"99.5","name":"Odd","personId":"odd","topics":"politician"}`
	for name, hit := range map[string]string{
		"as documented":        `{"score":100,"name":"John SMITH","personId":"67137933a2176f07","entityType":"person","topics":["Sanctioned entity","POLITICIAN (Politically Exposed Persons)"]}`,
		"no topics":            `{"score":0.5,"personId":"p"}`,
		"null topics":          `{"score":1,"name":"n","topics":null}`,
		"null topic":           `{"score":1,"name":"n","topics":[null,"Politician",""]}`,
		"score of zero":        `{"score":0,"name":"n"}`,
		"unknown members":      `{"new":{"a":[1,{"b":"]},\"{["}],"c":"\\"},"score":7,"name":"a,b]}","personId":"p","topics":[]}`,
		"closing bracket":      `{"score":7,"name":"at ] the","personId":"p"}`,
		"opening bracket":      `{"score":7,"name":"at [ the","personId":"p"}`,
		"closing brace":        `{"score":7,"name":"at } the","personId":"p"}`,
		"comma and quote":      `{"score":7,"name":"at \", the","personId":"p\\"}`,
		"white space":          "{ \"score\" : 7 ,\n\t\"name\" : \"n\" }",
		"duplicate name":       `{"score":7,"name":"first","name":"last"}`,
		"null name":            `{"score":7,"name":null,"personId":"p"}`,
		"name of another type": `{"score":7,"name":["n"],"personId":"p"}`,
	} {
		page := func(body string) []identomat.ScreeningHit {
			client := stubbed(t, func(*http.Request) (*http.Response, error) { return newResponse(200, body), nil })
			hits, err := client.Screening.SearchPage(t.Context(), identomat.ScreeningQuery{FullName: "n", ScoreThreshold: 80}, 0, 10)
			require.NoError(t, err, name)
			return hits
		}
		plain, mixed := page(`{"result":[ `+hit+` , `+hit+`]}`), page(`{"result":[`+coerced+`,`+hit+`,`+coerced+`]}`)
		require.Len(t, plain, 2, name)
		require.Len(t, mixed, 3, name)
		assert.Equal(t, mixed[1], plain[0], name)
		assert.Equal(t, plain[0], plain[1], name)
		assert.Equal(t, hit, string(plain[0].Raw()), name)
		var decoded identomat.ScreeningHit
		require.NoError(t, json.Unmarshal(plain[1].Raw(), &decoded), name)
		assert.Equal(t, decoded, plain[1], name)
		assert.Equal(t, 99.5, mixed[2].Score, name)
	}
}

func TestHitsIndependentOfMembersBesideResult(t *testing.T) {
	const hits = `[{"score":7,"name":"n","topics":["a","b"]}, {"score":8,"name":"m"}]`
	for _, body := range []string{
		`{"result":` + hits + `}`,
		` { "result" : ` + hits + ` } `,
		`{"took":[1,2],"result":` + hits + `}`,
		`{"of":"result","result":` + hits + `,"took":[1,2]}`,
		`{"at":{"result":[1,2]},"result":` + hits + `,"by":{"result":[1,2]},"in":"]},{["}`,
		`{"r\u0065sult":` + hits + `,"took":[1,2]}`,
	} {
		client := stubbed(t, func(*http.Request) (*http.Response, error) { return newResponse(200, body), nil })
		page, err := client.Screening.SearchPage(t.Context(), identomat.ScreeningQuery{FullName: "n", ScoreThreshold: 80}, 0, 10)
		require.NoError(t, err, body)
		require.Len(t, page, 2, body)
		assert.Equal(t, "n", page[0].Name, body)
		assert.Equal(t, `{"score":7,"name":"n","topics":["a","b"]}`, string(page[0].Raw()), body)
		assert.Equal(t, `{"score":8,"name":"m"}`, string(page[1].Raw()), body)
	}
}

// A hit without a score, or with neither a name nor a person ID, makes the whole response unexpected.
func TestPageWithIncompleteHitIsUnexpected(t *testing.T) {
	const good = `{"score":7,"name":"n"}`
	for _, bad := range []string{`{"score":7}`, `{"name":"n"}`, `{"score":null,"name":"n"}`, `{"score":"NaN","name":"n"}`, `null`, `[]`, `7`} {
		client := stubbed(t, func(*http.Request) (*http.Response, error) {
			return newResponse(200, `{"result":[`+good+`,`+bad+`]}`), nil
		})
		hits, err := client.Screening.SearchPage(t.Context(), identomat.ScreeningQuery{FullName: "n", ScoreThreshold: 80}, 0, 10)
		require.ErrorIs(t, err, identomat.ErrUnexpectedResponse, bad)
		assert.Empty(t, hits, bad)
	}
}
