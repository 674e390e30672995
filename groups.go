package identomat

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/identomat-go/identomat/internal/operation"
)

// GroupsService manages groups of the company's users. A group can be given permissions or sessions.
// (API reference, Other methods.) No method is known to be billed. [GroupsService.Create] makes a group,
// so it is not retried after a lost response; see [MaybeProcessed]. The other methods are retried.
type GroupsService struct{ client *Client }

// Group is a group of users.
type Group struct {
	record

	// ID is for [GroupsService.Update], [GroupsService.Delete] and [BeginRequest.GroupID].
	ID string `json:"id" wire:"required"`
	// Name is shown in the dashboard.
	Name string `json:"name"`
	// Members have usernames but no ids; [UsersService.List] has both.
	Members []GroupMember `json:"members"`
}

// GroupMember is a user in a group.
type GroupMember struct {
	private
	// Username is the user's e-mail address in all responses seen.
	Username string `json:"username"`
}

// Extra returns, keyed by path, the group's members that this SDK does not know or whose type is wrong.
func (g *Group) Extra() map[string]json.RawMessage { return codec.Extra(g.raw, g) }

// UnmarshalJSON decodes a group, such as a recorded one.
func (g *Group) UnmarshalJSON(data []byte) error { return codec.Unmarshal(data, g) }

// List lists all groups of the company with list-groups. There are no pages. Errors: [ErrNotFound]. The
// API reference does not say when this error occurs; a company without groups has an empty list.
func (s *GroupsService) List(ctx context.Context) ([]Group, error) {
	return do[[]Group](ctx, s.client, operation.GroupsList, nil)
}

// CreateGroupRequest describes a new group.
type CreateGroupRequest struct {
	private

	// Name is required. MemberIDs are ids of users, from [UsersService.List].
	Name      string   `json:"name"`
	MemberIDs []string `json:"memberIds,omitzero"`
	// Extra holds parameters that this SDK does not know, keyed by wire name.
	Extra map[string]any `json:",inline"`
}

// Create creates a group with make-group and returns its id. The call is retried only when the service
// certainly created no group. Names are not documented to be unique: if MaybeProcessed is true for an
// error, another Create may create a second group. Errors: [ErrWrongParameters].
func (s *GroupsService) Create(ctx context.Context, group CreateGroupRequest) (string, error) {
	created, err := do[createdGroup](ctx, s.client, operation.GroupCreate, &group)
	return string(created.ID), err
}

func (g *CreateGroupRequest) validate(_ *operation.Operation, p *problems) {
	p.requireText("name", g.Name)
	p.checkMembers(g.MemberIDs)
}

type createdGroup struct {
	ID recordID `json:"id" wire:"required"`
}

// UpdateGroupRequest describes changes to a group.
type UpdateGroupRequest struct {
	private

	// Name is the new name. If it is empty, the group keeps its name.
	Name string `json:"name,omitzero"`
	// MemberIDs is the complete new list of members, as ids of users. The API reference speaks of users
	// "to be added or removed", and says that existing members are kept only if their ids are in the
	// list: members who are not listed are removed. A nil list is not sent; its effect on the members is
	// not documented. An empty list removes everybody.
	//
	// [GroupsService.List] identifies members by username. To add a member, look up the ids of the
	// existing members with [UsersService.List].
	MemberIDs []string `json:"memberIds,omitzero"`
	// Extra holds parameters that this SDK does not know, keyed by wire name.
	Extra map[string]any `json:",inline"`
}

// Update changes the name or the members of a group (groupId) with change-group. It removes members who
// are not listed: see [UpdateGroupRequest.MemberIDs]. The only error that the API reference lists is
// [ErrWrongParameters].
func (s *GroupsService) Update(ctx context.Context, groupID string, change UpdateGroupRequest) error {
	return exec(ctx, s.client, operation.GroupUpdate, &updateGroupParams{groupID, change})
}

type updateGroupParams struct {
	GroupID string `json:"groupId"`
	UpdateGroupRequest
}

func (u *updateGroupParams) validate(_ *operation.Operation, p *problems) {
	p.requireText("groupId", u.GroupID)
	p.checkMembers(u.MemberIDs)
}

// Delete erases a group (groupId) for good with delete-group. The call is retried after a lost response.
// If the lost attempt deleted the group, the retry finds no group: the error is an [APIError], and its
// MaybeProcessed is true. Errors: [ErrWrongParameters].
func (s *GroupsService) Delete(ctx context.Context, groupID string) error {
	return exec(ctx, s.client, operation.GroupDelete, groupParams{groupID})
}

type groupParams struct {
	GroupID string `json:"groupId"`
}

func (g groupParams) validate(_ *operation.Operation, p *problems) {
	p.requireText("groupId", g.GroupID)
}

// checkMembers adds a problem for every empty id.
func (p *problems) checkMembers(ids []string) {
	for i, id := range ids {
		p.require(id != "", "memberIds["+strconv.Itoa(i)+"]", "must not be empty")
	}
}
