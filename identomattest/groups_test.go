package identomattest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func unwrapID(t *testing.T, body string) string {
	t.Helper()
	require.Regexp(t, `^\{"result":(\{"id":)?"[0-9a-f]{24}"\}?\}$`, body)
	return strings.NewReplacer(`{"result":`, "", `{"id":`, "", `"`, "", `}`, "").Replace(body)
}

func TestUsers(t *testing.T) {
	srv := NewServer(t)
	assert.Equal(t, shape(t, sample(t, "list-users-default")), shape(t, api(t, srv, "list-users", ``).body))

	create := func(members string) string { return api(t, srv, "create-user", members).body }
	id := unwrapID(t, create(`"email":"johndoe@email.com","emailVerified":true,"password":"12345678","firstName":"John","lastName":"Doe",
		"rights":["call_center_operator","administrator","operator"]`))
	plain := unwrapID(t, create(`"email":"plain@email.com","password":"ნინონინო"`))
	body := api(t, srv, "list-users", ``).body
	assert.Contains(t, body, `{"id":"`+id+`","username":"johndoe@email.com","roles":["call_center_operator","administrator","operator"]}`)
	assert.Contains(t, body, `{"id":"`+plain+`","username":"plain@email.com","roles":["call_center_operator"]}`)
	for _, r := range srv.Requests() {
		if r.Operation == "create-user" {
			assert.Equal(t, "***", r.Parameters["password"])
		}
	}

	for members, want := range map[string]string{
		`"email":"new@email.com"`:                                             errWrong,
		`"password":"12345678"`:                                               errWrong,
		`"email":"new@email.com","password":""`:                               errWrong,
		`"email":"new@email.com","password":"12345678","roles":[]`:            errWrong,
		`"email":"new@email.com","password":"12345678","emailVerified":"yes"`: errWrong,
		`"email":"new@email.com","password":"12345678","rights":"operator"`:   errWrong,
		`"email":7,"password":"12345678"`:                                     errWrong,
		`"email":"new","password":"12345678"`:                                 `{"argumentError":"invalid-email-format"}`,
		`"email":"new@email","password":"12345678"`:                           `{"argumentError":"invalid-email-format"}`,
		`"email":"new@email.com","password":"1234567"`:                        `{"argumentError":"password-too-short"}`,
		`"email":"new@email.com","password":"ნინონინ"`:                        `{"argumentError":"password-too-short"}`,
		`"email":"new@email.com","password":12345678`:                         `{"internalError":"Illegal arguments: number, string"}`,
		`"email":"new@email.com","password":true`:                             `{"internalError":"Illegal arguments: boolean, string"}`,
		`"email":"new@email.com","password":{}`:                               `{"internalError":"Illegal arguments: object, string"}`,
		`"email":"new@email.com","password":"12345678","rights":["admin"]`:    `{"argumentError":"invalid-rights"}`,
		`"email":"JohnDoe@email.com","password":"12345678"`:                   `{"argumentError":"user-already-exists"}`,
	} {
		assert.Equal(t, want, create(members), members)
	}
	assert.Equal(t, errWrong, api(t, srv, "list-users", `"limit":1`).body)
}

func TestGroups(t *testing.T) {
	srv := NewServer(t)
	const refused = `{"argumentError":"wrong-parameters","errorSourceGroup":"service-module-server-external"}`
	list := func() string { return api(t, srv, "list-groups", ``).body }
	assert.Equal(t, `{"result":[]}`, list())

	user1 := unwrapID(t, api(t, srv, "create-user", `"email":"user1@example.com","password":"12345678"`).body)
	user2 := unwrapID(t, api(t, srv, "create-user", `"email":"user2@example.com","password":"12345678"`).body)
	id := unwrapID(t, api(t, srv, "make-group", `"name":"group_name","memberIds":["`+user1+`","`+user2+`","`+user1+`"]`).body)
	assert.Equal(t, shape(t, sample(t, "list-groups-default")), shape(t, list()))
	assert.Equal(t, 1, strings.Count(list(), `{"username":"user1@example.com"}`), "a duplicate member is added once")
	for _, members := range []string{``, `"name":""`, `"name":7`, `"name":"a","memberIds":["nobody"]`, `"name":"a","memberIds":"x"`, `"name":"a","members":[]`} {
		assert.Equal(t, refused, api(t, srv, "make-group", members).body, members)
	}

	change := func(members string) string {
		return api(t, srv, "change-group", `"groupId":"`+id+`"`+members).body
	}
	assert.Equal(t, `{}`, change(`,"name":"renamed"`))
	assert.Contains(t, list(), `"name":"renamed","members":[{`)
	assert.Equal(t, `{}`, change(`,"memberIds":["`+user2+`"]`))
	assert.Contains(t, list(), `"name":"renamed","members":[{"username":"user2@example.com"}]`)
	assert.Equal(t, `{}`, change(`,"memberIds":[]`))
	assert.Contains(t, list(), `"members":[]`)
	for _, members := range []string{`,"name":""`, `,"name":null`, `,"memberIds":["nobody"]`, `,"memberIds":[1]`, `,"id":"x"`} {
		assert.Equal(t, refused, change(members), members)
	}
	assert.Equal(t, refused, api(t, srv, "change-group", `"groupId":"unknown","name":"a"`).body)
	assert.Equal(t, refused, api(t, srv, "change-group", `"name":"a"`).body)

	assert.Equal(t, refused, api(t, srv, "delete-group", ``).body)
	assert.Equal(t, `{}`, api(t, srv, "delete-group", `"groupId":"`+id+`"`).body)
	assert.Equal(t, refused, api(t, srv, "delete-group", `"groupId":"`+id+`"`).body)
	assert.Equal(t, `{"result":[]}`, list())
}
