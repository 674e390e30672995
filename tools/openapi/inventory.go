package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/identomat-go/identomat/internal/operation"
)

// inventory lists what Identomat's documentation contains. It was made by hand from the documents, so it
// shows what the tables in the code lack.
type inventory struct {
	Endpoints []struct {
		Name   string
		Params []struct {
			Indent     int
			Name, Type string
		}
	}
	BeginParams       [][]string                `json:"begin_params"`
	GlobalFlags       []named                   `json:"global_flags"`
	UndocumentedFlags []named                   `json:"undocumented_flags"`
	Steps             []listed                  `json:"steps"`
	Questions         []listed                  `json:"questions"`
	KYBFields         []struct{ Type string }   `json:"kyb_fields"`
	Enums             map[string][]string       `json:"enums"`
	Fields            map[string]map[string]any `json:"fields"`
}

type named struct{ Name string }

type listed struct {
	Type          string
	Flags, Params []named
}

// comparison counts what the inventory lists and what the description has.
type comparison struct {
	schemas map[string]any
	rows    []row
	missing []string
}

type row struct {
	what              string
	described, listed int
}

// compare compares a description with the inventory in a file, and writes the counts.
func compare(out io.Writer, description []byte, file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var known inventory
	var d struct {
		Paths      map[string]map[string]any
		Components struct{ Schemas map[string]any }
	}
	if err := json.Unmarshal(data, &known); err != nil {
		return err
	}
	if err := json.Unmarshal(description, &d); err != nil {
		return err
	}
	c := &comparison{schemas: d.Components.Schemas}
	c.operations(&known, d.Paths)
	c.parameters(&known)
	flags := c.members("Flags")
	for _, f := range slices.Concat(known.GlobalFlags, known.UndocumentedFlags) {
		c.require(slices.Contains(flags, f.Name), "flag "+f.Name)
	}
	c.add("flags", len(flags), len(known.GlobalFlags)+len(known.UndocumentedFlags))
	c.types("step", "Step", known.Steps)
	c.types("question", "Question", known.Questions)
	kyb := c.values("KYBField", "type")
	for _, f := range known.KYBFields {
		c.require(slices.Contains(kyb, f.Type), "KYB field "+f.Type)
	}
	c.add("KYB fields", len(kyb), len(known.KYBFields))
	roles := c.members("KYBRoles")
	for _, role := range known.Enums["KYB roles"] {
		c.require(slices.Contains(roles, role), "role "+role)
	}
	c.add("KYB roles", len(roles), len(known.Enums["KYB roles"]))
	codes := known.Enums["argumentError codes (REF)"]
	errors := slices.Concat(c.argumentErrors(), c.values("ErrorCode", ""))
	bare := known.Enums["bare-string error codes"]
	for _, code := range slices.Concat(codes, bare) {
		code, _, _ = strings.Cut(code, " ")
		c.require(slices.Contains(errors, code), "error code "+code)
	}
	c.add("error codes", len(errors), len(codes)+len(bare))
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\tdescribed\tin the inventory\t")
	for _, r := range c.rows {
		fmt.Fprintf(table, "%s\t%d\t%d\t\n", r.what, r.described, r.listed)
	}
	fmt.Fprintf(table, "schemas\t%d\t\t\n", len(c.schemas))
	if err := table.Flush(); err != nil {
		return err
	}
	if len(c.missing) > 0 {
		return fmt.Errorf("the description lacks: %s", strings.Join(c.missing, ", "))
	}
	return nil
}

func (c *comparison) require(found bool, what string) {
	if !found {
		c.missing = append(c.missing, what)
	}
}

func (c *comparison) add(what string, described, listed int) {
	c.rows = append(c.rows, row{what, described, listed})
}

func (c *comparison) operations(known *inventory, paths map[string]map[string]any) {
	described, byQuery := 0, 0
	for _, item := range paths {
		if item["post"] != nil {
			described++
		}
		if item["get"] != nil {
			byQuery++
		}
	}
	for _, endpoint := range known.Endpoints {
		op := operationCalled(endpoint.Name)
		c.require(op != nil && paths[op.Path()]["post"] != nil, "operation "+endpoint.Name)
	}
	c.add("operations", described, len(known.Endpoints))
	c.add("… also with GET", byQuery, 0)
}

// parameters compares the parameters, with the members of query. For result/ and delete/, the API reference
// lists the names of the other host.
func (c *comparison) parameters(known *inventory) {
	total := 0
	for _, op := range operation.All() {
		request := pascal(op.Name) + "Request"
		total += len(c.members(request)) + len(c.membersOf(request, "query"))
	}
	count := 0
	seen := map[string]bool{}
	for _, endpoint := range known.Endpoints {
		op := operationCalled(endpoint.Name)
		if op == nil {
			continue
		}
		request := pascal(op.Name) + "Request"
		for _, p := range endpoint.Params {
			if !strings.Contains(p.Type, "required") && !strings.Contains(p.Type, "optional") {
				continue // a value of a parameter, or a heading
			}
			count++
			members, name := c.members(request), p.Name
			switch {
			case p.Indent > 2:
				members = c.membersOf(request, "query")
			case name == "companyKey":
				name = op.KeyName()
			case name == "sessionId":
				name = op.SessionName()
			}
			c.require(slices.Contains(members, name), "parameter "+endpoint.Name+" "+p.Name)
			seen[endpoint.Name+name] = true
		}
	}
	for _, p := range known.BeginParams {
		if !seen["begin/"+p[0]] {
			count++
			c.require(slices.Contains(c.members("BeginRequest"), p[0]), "parameter begin/ "+p[0])
		}
	}
	c.add("parameters", total, count)
}

// types compares the types of steps or questions, with their flags and members.
func (c *comparison) types(what, suffix string, list []listed) {
	described, members, listedMembers := 0, 0, 0
	for name := range c.schemas {
		if strings.HasSuffix(name, suffix) && name != suffix && name != "Other"+suffix {
			described++
			members += len(c.members(name)) + len(c.members(name+"Flags"))
		}
	}
	for _, typ := range list {
		name := pascal(typ.Type) + suffix
		c.require(c.schemas[name] != nil, what+" "+typ.Type)
		for _, f := range typ.Flags {
			c.require(slices.Contains(c.members(name+"Flags"), f.Name), what+" "+typ.Type+" flag "+f.Name)
		}
		for _, p := range typ.Params {
			c.require(slices.Contains(c.members(name), p.Name), what+" "+typ.Type+" "+p.Name)
		}
		listedMembers += len(typ.Flags) + len(typ.Params)
	}
	c.add(what+"s", described, len(list))
	c.add("… their members and flags", members, listedMembers)
}

func (c *comparison) properties(schema string) map[string]any {
	s, _ := c.schemas[schema].(map[string]any)
	p, _ := s["properties"].(map[string]any)
	return p
}

func (c *comparison) members(schema string) (names []string) {
	for name := range c.properties(schema) {
		names = append(names, name)
	}
	return names
}

func (c *comparison) membersOf(schema, property string) (names []string) {
	s, _ := c.properties(schema)[property].(map[string]any)
	p, _ := s["properties"].(map[string]any)
	for name := range p {
		names = append(names, name)
	}
	return names
}

// values returns the known values of a property, or of the schema itself.
func (c *comparison) values(schema, property string) (values []string) {
	s, _ := c.schemas[schema].(map[string]any)
	if property != "" {
		s, _ = c.properties(schema)[property].(map[string]any)
	}
	return texts(s["x-extensible-enum"])
}

func (c *comparison) argumentErrors() []string {
	s := c.schemas["Error"].(map[string]any)["oneOf"].([]any)[0].(map[string]any)["properties"].(map[string]any)["argumentError"].(map[string]any)
	return texts(s["x-extensible-enum"])
}

func texts(v any) (out []string) {
	list, _ := v.([]any)
	for _, item := range list {
		out = append(out, item.(string))
	}
	return out
}

// operationCalled returns the operation with this name. The inventory has a slash after compare-faces.
func operationCalled(name string) *operation.Operation {
	for _, op := range operation.All() {
		if strings.TrimSuffix(op.Name, "/") == strings.TrimSuffix(name, "/") {
			return op
		}
	}
	return nil
}
