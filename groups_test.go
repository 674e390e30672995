package identomat_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/identomattest"
)

func TestGroupRequestsAndResponses(t *testing.T) {
	client, mock := mocked(t)
	expects(t, mock, "list-groups", body(``), sample(t, "list-groups-default.json"))
	groups, err := client.Groups.List(t.Context())
	require.NoError(t, err)
	require.Len(t, groups, 1)
	assert.Equal(t, []string{"650976e8dc32104b8bb1757e", "group_name"}, []string{groups[0].ID, groups[0].Name})
	assert.Equal(t, []identomat.GroupMember{{Username: "user1@example.com"}, {Username: "user2@example.com"}}, groups[0].Members)
	assert.Contains(t, string(groups[0].Raw()), "user2@example.com")
	expects(t, mock, "list-groups", body(``), sample(t, "list-groups-nogroups.json"))
	groups, err = client.Groups.List(t.Context())
	require.NoError(t, err)
	assert.Empty(t, groups)
	assertNothingIsDropped(t, "list-groups", "list-groups-default.json", 4, func(ctx context.Context, c *identomat.Client) ([]identomat.Group, error) {
		return c.Groups.List(ctx)
	})

	expects(t, mock, "make-group", body(`"name": "Group 1", "memberIds": ["user1_id", "user2_id"], "new": true`), sample(t, "make-group-default.json"))
	id, err := client.Groups.Create(t.Context(), identomat.CreateGroupRequest{Name: "Group 1", MemberIDs: []string{"user1_id", "user2_id"}, Extra: map[string]any{"new": true}})
	require.NoError(t, err)
	assert.Equal(t, "6784c6d768cb9e8a891087e1", id)
	expects(t, mock, "make-group", body(`"name": "Group 1"`), `{"result":{"id":"g1","new":1}}`)
	id, err = client.Groups.Create(t.Context(), identomat.CreateGroupRequest{Name: "Group 1"})
	require.NoError(t, err)
	assert.Equal(t, "g1", id)

	for request, change := range map[string]identomat.UpdateGroupRequest{
		`"name": "Group 1", "memberIds": ["user1_id", "user2_id"], "new": 1`: {Name: "Group 1", MemberIDs: []string{"user1_id", "user2_id"}, Extra: map[string]any{"new": 1}},
		`"name": "Group 2"`: {Name: "Group 2"},
		`"memberIds": []`:   {MemberIDs: []string{}},
		``:                  {},
	} {
		expects(t, mock, "change-group", body(`"groupId": "679c951cfc9fb5ff47e2833c",`+request), sample(t, "change-group-default.json"))
		require.NoError(t, client.Groups.Update(t.Context(), "679c951cfc9fb5ff47e2833c", change))
	}

	expects(t, mock, "delete-group", body(`"groupId": "679c951cfc9fb5ff47e2833c"`), sample(t, "delete-group-default.json"))
	require.NoError(t, client.Groups.Delete(t.Context(), "679c951cfc9fb5ff47e2833c"))
}

func TestGroupValidation(t *testing.T) {
	client, mock := mocked(t)
	_, err := client.Groups.Create(t.Context(), identomat.CreateGroupRequest{MemberIDs: []string{"a", ""}, Extra: map[string]any{"memberIds": 1}})
	assertProblems(t, err, "make-group", "name", "memberIds[1]", "Extra.memberIds")
	err = client.Groups.Update(t.Context(), "", identomat.UpdateGroupRequest{MemberIDs: []string{""}, Extra: map[string]any{"groupId": 1}})
	assertProblems(t, err, "change-group", "groupId", "memberIds[0]", "Extra.groupId")
	assertProblems(t, client.Groups.Delete(t.Context(), ""), "delete-group", "groupId")
	assert.Zero(t, mock.GetTotalCallCount())
}

func TestUserRequestsAndResponses(t *testing.T) {
	client, mock := mocked(t)
	expects(t, mock, "list-users", body(``), sample(t, "list-users-default.json"))
	users, err := client.Users.List(t.Context())
	require.NoError(t, err)
	require.Len(t, users, 1)
	assert.Equal(t, []string{"user_id", "user@identomat.com"}, []string{users[0].ID, users[0].Username})
	assert.Equal(t, []identomat.UserRight{
		"identomat_admin", identomat.RightAdministrator, identomat.RightOperator, identomat.RightCallCenterOperator,
	}, users[0].Roles)
	assert.Contains(t, string(users[0].Raw()), "identomat_admin")
	assertNothingIsDropped(t, "list-users", "list-users-default.json", 6, func(ctx context.Context, c *identomat.Client) ([]identomat.User, error) {
		return c.Users.List(ctx)
	})

	yes, no := true, false
	for request, user := range map[string]identomat.CreateUserRequest{
		`"email": "johndoe@email.com", "emailVerified": true, "password": "12345678", "firstName": "John", "lastName": "Doe",
			"rights": ["call_center_operator", "administrator", "operator"], "new": "x"`: {
			Email: "johndoe@email.com", EmailVerified: &yes, Password: "12345678", FirstName: "John", LastName: "Doe",
			Rights: []identomat.UserRight{identomat.RightCallCenterOperator, identomat.RightAdministrator, identomat.RightOperator},
			Extra:  map[string]any{"new": "x"},
		},
		`"email": "johndoe@email.com", "password": "პაროლი12"`: {Email: "johndoe@email.com", Password: "პაროლი12"},
		`"email": "johndoe@email.com", "password": "12345678", "emailVerified": false, "rights": []`: {
			Email: "johndoe@email.com", Password: "12345678", EmailVerified: &no, Rights: []identomat.UserRight{},
		},
	} {
		expects(t, mock, "create-user", body(request), sample(t, "create-user-default.json"))
		id, err := client.Users.Create(t.Context(), user)
		require.NoError(t, err)
		assert.Equal(t, "68243e94540d1e5fe6c04a0f", id)
	}
}

func TestUserValidation(t *testing.T) {
	client, mock := mocked(t)
	for _, email := range []string{"", "wilhelmina", "@example.com", "wilhelmina@", "wilhelmina @example.com", "Wilhelmina <wilhelmina@example.com>"} {
		_, err := client.Users.Create(t.Context(), identomat.CreateUserRequest{Email: email, Password: "1234567", Extra: map[string]any{"password": 12345678}})
		assertProblems(t, err, "create-user", "email", "password", "Extra.password")
	}
	_, err := client.Users.Create(t.Context(), identomat.CreateUserRequest{Email: "a@b", Password: "პაროლი1"})
	assertProblems(t, err, "create-user", "password")
	assert.Zero(t, mock.GetTotalCallCount())

	client, mock = mocked(t, identomat.WithoutValidation())
	expects(t, mock, "create-user", body(`"email": "", "password": ""`), sample(t, "create-user-wrongparameters.json"))
	_, err = client.Users.Create(t.Context(), identomat.CreateUserRequest{})
	require.ErrorIs(t, err, identomat.ErrWrongParameters)
}

func TestPasswordIsNeverPrinted(t *testing.T) {
	user := privateUser()
	text := printings(t, user) + printings(t, user.Password) + fmt.Sprint(struct{ User identomat.CreateUserRequest }{user})
	for _, v := range []any{user, &user, user.Password, map[string]any{"p": user.Password}} {
		_, err := json.Marshal(v)
		require.ErrorContains(t, err, "personal data is not encoded")
		text += err.Error()
	}
	assertSecret(t, text, "the user")
	assert.Contains(t, text, "[redacted]")
}

func TestGroupsAndUsersWithFake(t *testing.T) {
	server := identomattest.NewServer(t)
	client, ctx := server.Client(), t.Context()
	jane, err := client.Users.Create(ctx, identomat.CreateUserRequest{Email: "jane@example.com", Password: "12345678", Rights: []identomat.UserRight{identomat.RightOperator}})
	require.NoError(t, err)
	joe, err := client.Users.Create(ctx, identomat.CreateUserRequest{Email: "joe@example.com", Password: "12345678"})
	require.NoError(t, err)
	_, err = client.Users.Create(ctx, identomat.CreateUserRequest{Email: "joe@example.com", Password: "12345678"})
	require.ErrorIs(t, err, identomat.ErrUserAlreadyExists)
	_, err = client.Users.Create(ctx, identomat.CreateUserRequest{Email: "j@example.com", Password: "12345678", Rights: []identomat.UserRight{"identomat_admin"}})
	require.ErrorIs(t, err, identomat.ErrInvalidRights)
	_, err = client.Users.Create(ctx, identomat.CreateUserRequest{Email: "a@b", Password: "12345678"})
	require.ErrorIs(t, err, identomat.ErrInvalidEmailFormat)
	_, err = server.Client(identomat.WithoutValidation()).Users.Create(ctx, identomat.CreateUserRequest{Email: "j@example.com", Password: "1"})
	require.ErrorIs(t, err, identomat.ErrPasswordTooShort)
	users, err := client.Users.List(ctx)
	require.NoError(t, err)
	require.Len(t, users, 3)
	assert.Equal(t, []identomat.UserRight{identomat.RightCallCenterOperator}, users[2].Roles)

	id, err := client.Groups.Create(ctx, identomat.CreateGroupRequest{Name: "Calls", MemberIDs: []string{jane}})
	require.NoError(t, err)
	members := func() []string {
		groups, err := client.Groups.List(ctx)
		require.NoError(t, err)
		require.Len(t, groups, 1)
		list := []string{groups[0].Name}
		for _, m := range groups[0].Members {
			list = append(list, m.Username)
		}
		return list
	}
	assert.Equal(t, []string{"Calls", "jane@example.com"}, members())
	require.NoError(t, client.Groups.Update(ctx, id, identomat.UpdateGroupRequest{Name: "Video calls"}))
	assert.Equal(t, []string{"Video calls", "jane@example.com"}, members())
	require.NoError(t, client.Groups.Update(ctx, id, identomat.UpdateGroupRequest{MemberIDs: []string{joe}}))
	assert.Equal(t, []string{"Video calls", "joe@example.com"}, members())
	require.NoError(t, client.Groups.Update(ctx, id, identomat.UpdateGroupRequest{MemberIDs: []string{}}))
	assert.Equal(t, []string{"Video calls"}, members())
	require.NoError(t, client.Groups.Delete(ctx, id))
	err = client.Groups.Delete(ctx, id)
	require.ErrorIs(t, err, identomat.ErrWrongParameters)
	var api *identomat.APIError
	require.ErrorAs(t, err, &api)
	assert.Equal(t, "service-module-server-external", api.Group)
}
