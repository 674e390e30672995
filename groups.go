package identomat

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/identomat-go/identomat/internal/operation"
)

// GroupsService keeps the groups of the company's users, who can be given permissions or
// sessions together. (API reference, Other methods.)
type GroupsService struct{ client *Client }

// Group is a group of users. fmt, slog and
// encoding/json show a mask.
type Group struct {
	private

	// ID is for [GroupsService.Update], [GroupsService.Delete] and
	// [BeginRequest.GroupID].
	ID string `json:"id"`
	// Name is what the dashboard shows.
	Name string `json:"name"`
	// Members have usernames and no ids; [UsersService.List] has both.
	Members []GroupMember `json:"members"`

	raw json.RawMessage
}

// GroupMember is a user in a group.
type GroupMember struct {
	private
	// Username is the user's e-mail address in the replies seen.
	Username string `json:"username"`
}

// Raw is the group as it came. The caller must not write to it.
func (g *Group) Raw() json.RawMessage { return g.raw }

// UnmarshalJSON reads a group. It fails without an id.
func (g *Group) UnmarshalJSON(data []byte) error {
	type fields Group // without UnmarshalJSON
	var group fields
	if err := decodeObject(data, &group); err != nil {
		return err
	}
	if group.ID == "" {
		return errors.New("identomat: a group without an id")
	}
	group.raw = bytes.Clone(data)
	*g = Group(group)
	return nil
}

// List returns all groups of the company with list-groups; there are no pages. (API
// reference, Other methods, list-groups.)
//
// Errors: [ErrNotFound], [ErrInvalidKey], [ErrUnexpectedResponse]. What is not found is not
// documented; a company without groups has an empty list.
func (s *GroupsService) List(ctx context.Context) ([]Group, error) {
	var groups wrapped[items[Group]]
	err := s.client.callAPI(ctx, operation.GroupsList, s.client.params(), &groups)
	return groups.value, err
}

// CreateGroupRequest describes a group to be made. fmt, slog and
// encoding/json show a mask.
type CreateGroupRequest struct {
	private

	// Name is required.
	Name string
	// MemberIDs are ids of users, from [UsersService].
	MemberIDs []string
	// Extra holds parameters that this SDK does not know, by their wire names.
	Extra map[string]any
}

// Create makes a group with make-group and returns its id. (API reference, Other methods,
// make-group.)
//
// It is sent again only when it is certain that no group was made. The documents do not
// say that names are unique, so that after an error with MaybeProcessed another Create
// may make a second group.
//
// Errors: [ValidationError] before anything is sent; [ErrWrongParameters],
// [ErrInvalidKey], [ErrUnexpectedResponse].
func (s *GroupsService) Create(ctx context.Context, group CreateGroupRequest) (string, error) {
	op := operation.GroupCreate
	if s.client.validate {
		var p problems
		p.checkText("name", group.Name)
		p.checkMembers(group.MemberIDs)
		p.checkExtra(group.Extra, "companyKey", "name", "memberIds")
		if err := p.err(op.Name); err != nil {
			return "", err
		}
	}
	params := s.client.params().and("name", jsonString(group.Name)).
		andList("memberIds", group.MemberIDs).andExtra(group.Extra)
	var made wrapped[madeGroup]
	err := s.client.callAPI(ctx, op, params, &made)
	return string(made.value), err
}

// madeGroup is the id inside the reply, which is an object.
type madeGroup recordID

func (g *madeGroup) UnmarshalJSON(data []byte) error {
	var reply struct {
		ID json.RawMessage `json:"id"`
	}
	if err := json.Unmarshal(data, &reply); err != nil {
		return err
	}
	return (*recordID)(g).UnmarshalJSON(reply.ID)
}

// UpdateGroupRequest says what becomes of a group. fmt, slog and
// encoding/json show a mask.
type UpdateGroupRequest struct {
	private

	// Name is the new name; if empty it is not sent, and the group keeps its name.
	Name string
	// MemberIDs is the whole new list of members, as ids of users. The reference calls it
	// users "to be added or removed" and says that existing members are only kept if
	// their ids are in it: count on losing everybody who is missing. nil is not sent; the
	// reference lets the parameter be left out and does not say what that does to the
	// members. An empty list that is not nil is sent, and leaves nobody.
	//
	// [GroupsService.List] tells members by username; to add one to those that are
	// there, look up their ids in [UsersService.List].
	MemberIDs []string
	// Extra holds parameters that this SDK does not know, by their wire names.
	Extra map[string]any
}

// Update changes the name or the members of a group with change-group. Members who are
// not listed in the change are not kept: see [UpdateGroupRequest.MemberIDs]. (API reference,
// Other methods, change-group.)
//
// Errors: [ValidationError] before anything is sent; [ErrWrongParameters], the only one
// that the reference lists; [ErrInvalidKey], [ErrUnexpectedResponse].
func (s *GroupsService) Update(ctx context.Context, groupID string, change UpdateGroupRequest) error {
	op := operation.GroupUpdate
	if s.client.validate {
		var p problems
		p.checkText(paramGroupID, groupID)
		p.checkMembers(change.MemberIDs)
		p.checkExtra(change.Extra, "companyKey", paramGroupID, "name", "memberIds")
		if err := p.err(op.Name); err != nil {
			return err
		}
	}
	params := s.client.params().and(paramGroupID, jsonString(groupID)).andText("name", change.Name).
		andList("memberIds", change.MemberIDs).andExtra(change.Extra)
	return s.client.callAPI(ctx, op, params, ignored{})
}

// Delete erases a group for good with delete-group. (API reference, Other methods,
// delete-group.)
//
// It is sent again after a lost reply. If the lost attempt had erased the group, the
// repeat fails, from an [APIError] with MaybeProcessed.
//
// Errors: [ValidationError] before anything is sent; [ErrWrongParameters],
// [ErrInvalidKey], [ErrUnexpectedResponse].
func (s *GroupsService) Delete(ctx context.Context, groupID string) error {
	op := operation.GroupDelete
	if err := s.client.require(op, paramGroupID, groupID); err != nil {
		return err
	}
	return s.client.callAPI(ctx, op, s.client.params().and(paramGroupID, jsonString(groupID)), ignored{})
}

// andList adds a list that is not nil.
func (m members) andList(name string, list []string) members {
	if list == nil {
		return m
	}
	return m.and(name, jsonStrings(list))
}

// checkMembers adds a problem for every empty id.
func (p *problems) checkMembers(ids []string) {
	for i, id := range ids {
		if id == "" {
			p.add(string(newPath("memberIds").item(i)), "is empty")
		}
	}
}

// UsersService keeps the users of Identomat Manage, the dashboard. (API reference, Other
// methods.)
type UsersService struct{ client *Client }

// UserRight is what a user may do. The reference calls it a right or a role. Others than
// the constants occur, such as identomat_admin.
type UserRight string

// The rights that a new user can be given.
const (
	RightCallCenterOperator UserRight = "call_center_operator"
	RightOperator           UserRight = "operator"
	RightAdministrator      UserRight = "administrator"
)

// User is a user of the dashboard. fmt, slog and
// encoding/json show a mask.
type User struct {
	private

	// ID is what groups take as the id of a member.
	ID string `json:"id"`
	// Username is the user's e-mail address in the replies seen.
	Username string `json:"username"`
	// Roles are what the user may do.
	Roles []UserRight `json:"roles"`

	raw json.RawMessage
}

// Raw is the user as it came. The caller must not write to it.
func (u *User) Raw() json.RawMessage { return u.raw }

// UnmarshalJSON reads a user. It fails without an id.
func (u *User) UnmarshalJSON(data []byte) error {
	type fields User // without UnmarshalJSON
	var user fields
	if err := decodeObject(data, &user); err != nil {
		return err
	}
	if user.ID == "" {
		return errors.New("identomat: a user without an id")
	}
	user.raw = bytes.Clone(data)
	*u = User(user)
	return nil
}

// List returns all users of the company with list-users; there are no pages. (API
// reference, Other methods, list-users.)
//
// Errors: [ErrWrongParameters], [ErrInvalidKey], [ErrUnexpectedResponse].
func (s *UsersService) List(ctx context.Context) ([]User, error) {
	var users wrapped[items[User]]
	err := s.client.callAPI(ctx, operation.UsersList, s.client.params(), &users)
	return users.value, err
}

// Password is the password of a new user. fmt, slog and encoding/json show a mask.
type Password string

// Format writes a mask under every verb.
func (Password) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// String is a mask, for a panic: see [Token.String].
func (Password) String() string { return redacted }

// LogValue is a mask.
func (Password) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText writes a mask, because loggers encode what they are given.
func (Password) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// CreateUserRequest describes a user to be made. fmt, slog and
// encoding/json show a mask.
type CreateUserRequest struct {
	private

	// Email is required, an address alone: johndoe@email.com.
	Email string
	// EmailVerified marks the address as verified; nil leaves it to the service, which
	// takes false.
	EmailVerified *bool
	// Password is required and has at least 8 characters.
	Password Password
	// FirstName and LastName may be empty.
	FirstName, LastName string
	// Rights are what the user may do. nil leaves them to the service, which takes
	// [RightCallCenterOperator]; what it makes of an empty list is not documented.
	Rights []UserRight
	// Extra holds parameters that this SDK does not know, by their wire names.
	Extra map[string]any
}

// minPassword is the reference's, which does not say how characters are counted.
const minPassword = 8

func (u *CreateUserRequest) validate(op string) error {
	var p problems
	// The documents have an error for the format of an address and do not define it, so
	// only what no address can be is refused.
	if name, domain, ok := strings.Cut(u.Email, "@"); !ok || name == "" || domain == "" || strings.ContainsFunc(u.Email, unicode.IsSpace) {
		p.add("email", "must be an e-mail address")
	}
	if utf8.RuneCountInString(string(u.Password)) < minPassword {
		p.add("password", "must have at least 8 characters")
	}
	p.checkExtra(u.Extra, "companyKey", "email", "emailVerified", "password", "firstName", "lastName", "rights")
	return p.err(op)
}

// Create makes a user of the dashboard with create-user and returns the id. (API
// reference, Other methods, create-user.)
//
// It is sent again only when it is certain that no user was made. After an error with
// MaybeProcessed, [ErrUserAlreadyExists] from another Create tells that the lost one
// succeeded.
//
// Errors: [ValidationError] before anything is sent; [ErrInvalidEmailFormat],
// [ErrPasswordTooShort], [ErrInvalidRights], [ErrUserAlreadyExists],
// [ErrWrongParameters], [ErrInvalidKey], [ErrUnexpectedResponse].
func (s *UsersService) Create(ctx context.Context, user CreateUserRequest) (string, error) {
	op := operation.UserCreate
	if s.client.validate {
		if err := user.validate(op.Name); err != nil {
			return "", err
		}
	}
	params := s.client.params().and("email", jsonString(user.Email))
	if user.EmailVerified != nil {
		params = params.and("emailVerified", jsonBool(*user.EmailVerified))
	}
	params = params.and("password", jsonString(string(user.Password))).
		andText("firstName", user.FirstName).andText("lastName", user.LastName)
	if user.Rights != nil {
		params = params.and("rights", jsonStrings(user.Rights))
	}
	var id wrapped[recordID]
	err := s.client.callAPI(ctx, op, params.andExtra(user.Extra), &id)
	return string(id.value), err
}
