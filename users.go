package identomat

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/identomat-go/identomat/internal/operation"
	"github.com/identomat-go/identomat/internal/redact"
)

// UsersService manages the users of the dashboard, Identomat Manage. (API reference, Other methods.) No
// method is known to be billed. [UsersService.Create] makes a user, so it is not retried after a lost
// response; see [MaybeProcessed].
type UsersService struct{ client *Client }

// UserRight is a user's permission, which the API reference calls a right or a role. Responses have also
// contained identomat_admin.
type UserRight string

// The rights that a new user can be given.
const (
	RightCallCenterOperator UserRight = "call_center_operator"
	RightOperator           UserRight = "operator"
	RightAdministrator      UserRight = "administrator"
)

// User is a user of the dashboard.
type User struct {
	record

	// ID is the id of a member in [CreateGroupRequest] and [UpdateGroupRequest].
	ID string `json:"id" wire:"required"`
	// Username is the user's e-mail address in all responses seen. Roles are the user's permissions.
	Username string      `json:"username"`
	Roles    []UserRight `json:"roles"`
}

// Extra returns, keyed by path, the user's members that this SDK does not know or whose type is wrong.
func (u *User) Extra() map[string]json.RawMessage { return codec.Extra(u.raw, u) }

// UnmarshalJSON decodes a user, such as a recorded one.
func (u *User) UnmarshalJSON(data []byte) error { return codec.Unmarshal(data, u) }

// List lists all users of the company with list-users. There are no pages. Errors: [ErrWrongParameters].
func (s *UsersService) List(ctx context.Context) ([]User, error) {
	return do[[]User](ctx, s.client, operation.UsersList, nil)
}

// Password is the password of a new user. fmt and slog show a mask, and encoders refuse it.
type Password string

// Format writes a mask for every verb.
func (Password) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// String returns a mask, because a panic prints a value's String.
func (Password) String() string { return redacted }

// LogValue returns a mask.
func (Password) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns an error, because loggers encode their arguments.
func (Password) MarshalText() ([]byte, error) { return nil, redact.ErrEncode }

// GobEncode returns an error, like MarshalText.
func (Password) GobEncode() ([]byte, error) { return nil, redact.ErrEncode }

// CreateUserRequest describes a new user. Only Email and Password are required.
type CreateUserRequest struct {
	private

	// Email is a bare address, such as johndoe@email.com.
	Email string `json:"email"`
	// EmailVerified marks the address as verified. The service's default is false.
	EmailVerified *bool `json:"emailVerified,omitzero"`
	// Password must have at least 8 characters.
	Password Password `json:"password"`
	// FirstName and LastName may be empty.
	FirstName string `json:"firstName,omitzero"`
	LastName  string `json:"lastName,omitzero"`
	// Rights are the user's permissions. The service's default for nil is [RightCallCenterOperator]; the
	// effect of an empty list is not documented.
	Rights []UserRight `json:"rights,omitzero"`
	// Extra holds parameters that this SDK does not know, keyed by wire name.
	Extra map[string]any `json:",inline"`
}

// minPassword is from the API reference, which does not say how characters are counted.
const minPassword = 8

func (u *CreateUserRequest) validate(_ *operation.Operation, p *problems) {
	// The API documentation has an error for a malformed address, but does not define the format, so this
	// check refuses only what cannot be an address.
	name, domain, _ := strings.Cut(u.Email, "@")
	p.require(name != "" && domain != "" && !strings.ContainsFunc(u.Email, unicode.IsSpace), "email", "must be an e-mail address")
	p.require(utf8.RuneCountInString(string(u.Password)) >= minPassword, "password", "must have at least 8 characters")
}

// Create creates a user of the dashboard with create-user and returns the user's id. The call is retried
// only when the service certainly created no user. If MaybeProcessed is true for an error, call Create
// again: [ErrUserAlreadyExists] means that the first call succeeded.
//
// Errors: [ErrInvalidEmailFormat], [ErrPasswordTooShort], [ErrInvalidRights], [ErrUserAlreadyExists],
// [ErrWrongParameters].
func (s *UsersService) Create(ctx context.Context, user CreateUserRequest) (string, error) {
	id, err := do[recordID](ctx, s.client, operation.UserCreate, &user)
	return string(id), err
}
