package identomattest

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

type user struct {
	id       string
	username string
	roles    []string
}

type group struct {
	id      string
	name    string
	members []string // user ids
}

// administrator is a user that exists from the start.
var administrator = user{
	id:       "65a7c1d2e3f4a5b6c7d8e9f0",
	username: "administrator@company.example",
	roles:    []string{"identomat_admin", "administrator", "operator", "call_center_operator"},
}

var userRights = []string{"call_center_operator", "operator", "administrator"}

var emailFormat = regexp.MustCompile(`^[^@\s]+@[^@\s.]+(\.[^@\s.]+)+$`)

// minPassword is the minimum length of a password in characters.
const minPassword = 8

func (s *Server) listGroups(c *call) response {
	out := []any{}
	for _, g := range c.company.groups {
		members := []any{}
		for _, id := range g.members {
			i := slices.IndexFunc(c.company.users, func(u user) bool { return u.id == id })
			members = append(members, object{{"username", c.company.users[i].username}})
		}
		out = append(out, object{{"id", g.id}, {"name", g.name}, {"members", members}})
	}
	return resultResponse(out)
}

// members returns the parameter memberIds without duplicates, and false if one of the ids belongs to no
// user.
func (s *Server) members(c *call) ([]string, bool) {
	ids := c.params.texts("memberIds")
	for _, id := range ids {
		if !slices.ContainsFunc(c.company.users, func(u user) bool { return u.id == id }) {
			return nil, false
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids), true
}

func (s *Server) makeGroup(c *call) response {
	ids, ok := s.members(c)
	if !ok {
		return refuse(wrongGroupParameters, "a member is not a user")
	}
	g := &group{s.newID(), c.params.text("name"), ids}
	c.company.groups = append(c.company.groups, g)
	return resultResponse(object{{"id", g.id}})
}

// changeGroup changes only what the request contains. The parameter memberIds replaces all members.
func (s *Server) changeGroup(c *call) response {
	i := s.groupIndex(c)
	if i < 0 {
		return refuse(wrongGroupParameters, "no group has this id")
	}
	ids, ok := s.members(c)
	if !ok {
		return refuse(wrongGroupParameters, "a member is not a user")
	}
	name, renamed := c.params.get("name")
	if renamed && name == "" {
		return refuse(wrongGroupParameters, "the name is empty")
	}
	if renamed {
		c.company.groups[i].name = c.params.text("name")
	}
	if _, given := c.params.get("memberIds"); given {
		c.company.groups[i].members = ids
	}
	return jsonResponse(object{})
}

func (s *Server) deleteGroup(c *call) response {
	i := s.groupIndex(c)
	if i < 0 {
		return refuse(wrongGroupParameters, "no group has this id")
	}
	c.company.groups = slices.Delete(c.company.groups, i, i+1)
	return jsonResponse(object{})
}

func (s *Server) groupIndex(c *call) int {
	return slices.IndexFunc(c.company.groups, func(g *group) bool { return g.id == c.params.text("groupId") })
}

func (s *Server) listUsers(c *call) response {
	out := []any{}
	for _, u := range c.company.users {
		out = append(out, object{{"id", u.id}, {"username", u.username}, {"roles", u.roles}})
	}
	return resultResponse(out)
}

func (s *Server) createUser(c *call) response {
	v, _ := c.params.get("password")
	password, ok := v.(string)
	if !ok {
		// The documented error comes from a JavaScript function and names the JavaScript type.
		return refuse(refusal(`{"internalError":"Illegal arguments: `+javaScriptType(v)+`, string"}`), "the password is not a string")
	}
	email := c.params.text("email")
	rights := c.params.texts("rights")
	switch {
	case password == "":
		return refuse(wrongParameters, "the password is empty")
	case !emailFormat.MatchString(email):
		return refuse(invalidEmailFormat, "the email address is malformed")
	case utf8.RuneCountInString(password) < minPassword:
		return refuse(passwordTooShort, "the password has fewer than %d characters", minPassword)
	}
	for _, right := range rights {
		if !slices.Contains(userRights, right) {
			return refuse(invalidRights, "unknown right %q", right)
		}
	}
	for _, u := range c.company.users {
		if strings.EqualFold(u.username, email) {
			return refuse(userAlreadyExists, "a user has this email address")
		}
	}
	if len(rights) == 0 {
		rights = []string{"call_center_operator"}
	}
	u := user{s.newID(), email, rights}
	c.company.users = append(c.company.users, u)
	return resultResponse(u.id)
}

func javaScriptType(v any) string {
	switch v.(type) {
	case json.Number:
		return "number"
	case bool:
		return "boolean"
	}
	return "object"
}
