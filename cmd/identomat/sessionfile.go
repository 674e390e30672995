package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/internal/documented"
	"github.com/identomat-go/identomat/internal/fake"
	"github.com/identomat-go/identomat/internal/operation"
)

// fileError reports everything that is wrong with a session file.
type fileError struct{ problems []problem }

func (e *fileError) Error() string {
	if len(e.problems) == 1 {
		return e.problems[0].String()
	}
	return fmt.Sprintf("%s has %d problems", e.problems[0].file, len(e.problems))
}

// maxSessionFile is far more than a session needs. It bounds the memory that a file can take.
const maxSessionFile = 1 << 20

// sessionFile reads a request for begin/ from YAML or JSON.
type sessionFile struct {
	name         string
	allowUnknown bool
	lines        map[string]int // by path
	problems     []problem
	nodes        int // including those behind aliases
}

// readSessionFile reads and checks a session file. The name - is standard input. The error is a *fileError
// if the content is wrong.
func (a *app) readSessionFile(name string, allowUnknown bool) (identomat.BeginRequest, error) {
	in, name, err := a.open(name)
	if err != nil {
		return identomat.BeginRequest{}, err
	}
	defer in.Close()
	data, err := io.ReadAll(io.LimitReader(in, maxSessionFile+1))
	if err != nil {
		return identomat.BeginRequest{}, err
	}
	if len(data) > maxSessionFile {
		return identomat.BeginRequest{}, fmt.Errorf("%s is larger than 1 MiB", name)
	}
	f := &sessionFile{name: name, allowUnknown: allowUnknown, lines: map[string]int{}}
	request := f.read(data)
	if len(f.problems) > 0 {
		sort.SliceStable(f.problems, func(i, j int) bool { return f.problems[i].Line < f.problems[j].Line })
		return request, &fileError{f.problems}
	}
	return request, nil
}

func (f *sessionFile) add(path, format string, args ...any) {
	p := problem{Line: f.line(path), Path: path, Message: fmt.Sprintf(format, args...), file: f.name}
	if !slices.Contains(f.problems, p) {
		f.problems = append(f.problems, p)
	}
}

// line returns the line of a path, or of the nearest value above it.
func (f *sessionFile) line(path string) int {
	for path != "" && f.lines[path] == 0 {
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
	return max(f.lines[path], 1)
}

func (f *sessionFile) read(data []byte) (request identomat.BeginRequest) {
	if json.Valid(data) {
		data = bytes.ReplaceAll(data, []byte("\t"), []byte(" ")) // YAML does not allow tabs
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		p := problem{Line: 1, Message: strings.TrimPrefix(err.Error(), "yaml: "), file: f.name}
		if rest, ok := strings.CutPrefix(p.Message, "line "); ok {
			number, text, _ := strings.Cut(rest, ": ")
			if n, err := strconv.Atoi(number); err == nil {
				p.Line, p.Message = n, text
			}
		}
		f.problems = append(f.problems, p)
		return request
	}
	if doc.Kind == 0 || len(doc.Content) == 0 {
		f.problems = append(f.problems, problem{Line: 1, Message: "the file is empty", file: f.name})
		return request
	}
	value := f.value(doc.Content[0], "")
	if len(f.problems) > 0 {
		return request
	}
	object, ok := value.(members)
	if !ok {
		f.add("", "the file must hold an object with members such as flags and steps")
		return request
	}
	f.checkMembers("", object, documented.Endpoints[operation.SessionBegin].Parameters)
	request = f.request(object)
	if len(f.problems) == 0 {
		f.checkRules(request)
	}
	return request
}

// members is an object that keeps the order of its members.
type members []member

type member struct {
	name  string
	value any
}

func (o members) get(name string) any {
	for _, m := range o {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

func (o members) text(name string) string {
	text, _ := o.get(name).(string)
	return text
}

func (o members) MarshalJSON() ([]byte, error) {
	out := []byte("{")
	for i, m := range o {
		if i > 0 {
			out = append(out, ',')
		}
		value, err := json.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		out = append(append(appendJSON(out, m.name), ':'), value...)
	}
	return append(out, '}'), nil
}

// value converts a node to what JSON can hold, and records the line of each path.
func (f *sessionFile) value(n *yaml.Node, path string) any {
	if f.lines[path] == 0 {
		f.lines[path] = n.Line
	}
	if f.nodes++; f.nodes > 100_000 {
		if f.nodes == 100_001 {
			f.add(path, "the file has too many values")
		}
		return nil
	}
	switch n.Kind {
	case yaml.AliasNode:
		return f.value(n.Alias, path)
	case yaml.MappingNode:
		object := members{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			name := n.Content[i].Value
			inner := strings.TrimPrefix(path+"."+name, ".")
			switch {
			case n.Content[i].Kind != yaml.ScalarNode || n.Content[i].Tag == "!!merge":
				f.lines[inner] = n.Content[i].Line
				f.add(inner, "the name of a member must be a text")
				continue
			case slices.ContainsFunc(object, func(m member) bool { return m.name == name }):
				f.problems = append(f.problems, problem{Line: n.Content[i].Line, Path: inner, Message: "is there twice", file: f.name})
				continue
			}
			f.lines[inner] = n.Content[i].Line
			object = append(object, member{name, f.value(n.Content[i+1], inner)})
		}
		return object
	case yaml.SequenceNode:
		list := []any{}
		for i, element := range n.Content {
			list = append(list, f.value(element, fmt.Sprintf("%s[%d]", path, i)))
		}
		return list
	}
	switch n.Tag {
	case "!!null":
		return nil
	case "!!bool":
		return strings.EqualFold(n.Value, "true")
	case "!!int", "!!float":
		if json.Valid([]byte(n.Value)) {
			return json.Number(n.Value)
		}
	}
	return n.Value
}

// checkMembers checks an object against what Identomat's documentation says about it.
func (f *sessionFile) checkMembers(path string, object members, fields []documented.Field) {
	known := map[string]documented.Field{}
	for _, field := range fields {
		known[field.Name] = field
	}
	for _, m := range object {
		inner := strings.TrimPrefix(path+"."+m.name, ".")
		field, ok := known[m.name]
		switch {
		case ok:
			f.checkValue(inner, m.value, field)
		case !f.allowUnknown:
			f.unknown(inner, "is not documented", m.name, slices.Collect(maps.Keys(known)))
		}
	}
	for _, field := range fields {
		if field.Required && (object.get(field.Name) == nil || object.get(field.Name) == "") {
			f.add(path, "%s is missing", field.Name)
		}
	}
}

// unknown adds a problem about an unknown word, with the known word that is closest to it.
func (f *sessionFile) unknown(path, message, word string, known []string) {
	slices.Sort(known)
	best, distance := "", 3
	for _, k := range known {
		if d := fake.EditDistance(word, k); d < distance {
			best, distance = k, d
		}
	}
	if best != "" {
		message += "; did you mean " + best + "?"
	} else if len(known) <= 25 {
		message += "; known are " + strings.Join(known, ", ")
	}
	f.add(path, "%s", message)
}

func (f *sessionFile) checkValue(path string, value any, field documented.Field) {
	if value == nil && field.Nullable {
		return
	}
	object, isObject := value.(members)
	list, isList := value.([]any)
	text, isText := value.(string)
	switch field.Kind {
	case documented.Text:
		f.require(isText, path, "must be a text")
		f.checkWord(path, text, isText, field.Values)
	case documented.Boolean:
		_, ok := value.(bool)
		f.require(ok, path, "must be true or false")
	case documented.Integer:
		number, _ := value.(json.Number)
		_, err := number.Int64()
		f.require(err == nil, path, "must be an integer")
	case documented.Texts:
		f.require(isList, path, "must be a list of texts")
		for i, element := range list {
			text, ok := element.(string)
			inner := fmt.Sprintf("%s[%d]", path, i)
			f.require(ok, inner, "must be a text")
			f.checkWord(inner, text, ok, field.Values)
		}
	case documented.Title:
		f.require(isText || isObject, path, "must be a text, or an object with one text per language")
		for _, m := range object {
			_, ok := m.value.(string)
			f.require(ok, path+"."+m.name, "must be a text")
		}
	case documented.Nested:
		if f.require(isObject, path, "must be an object"); isObject {
			f.checkMembers(path, object, field.Fields)
		}
	case documented.FlagSet:
		f.require(isObject || isList && len(list) == 0, path, "must be an object")
		if path == "flags" { // those of a step depend on its type
			f.checkMembers(path, object, documented.Flags)
		}
	case documented.RoleSet:
		f.require(isObject || isList && len(list) == 0, path, "must be an object")
		for _, m := range object {
			f.checkRole(path+"."+m.name, m)
		}
	case documented.StepList, documented.QuestionList, documented.OptionList, documented.KYBFieldList:
		f.require(isList, path, "must be a list")
		for i, element := range list {
			inner := fmt.Sprintf("%s[%d]", path, i)
			item, ok := element.(members)
			if f.require(ok, inner, "must be an object"); ok {
				f.checkItem(inner, item, field.Kind)
			}
		}
	}
}

func (f *sessionFile) require(ok bool, path, message string) {
	if !ok {
		f.add(path, "%s", message)
	}
}

func (f *sessionFile) checkWord(path, word string, isText bool, known []string) {
	if isText && len(known) > 0 && !slices.Contains(known, word) && !f.allowUnknown {
		f.unknown(path, fmt.Sprintf("%q is not documented", word), word, slices.Clone(known))
	}
}

// checkItem checks an element of a list of steps, questions, options or fields.
func (f *sessionFile) checkItem(path string, item members, kind documented.Kind) {
	typ := item.text("type")
	switch kind {
	case documented.StepList:
		step, ok := documented.StepOf(typ)
		if !ok {
			f.unknownType(path, typ, len(documented.Steps), func(i int) string { return documented.Steps[i].Type })
			return
		}
		f.checkMembers(path, item, slices.Concat(documented.StepMembers, step.Parameters))
		if step.Key == "" && item.text("key") == "" {
			f.add(path, "key is missing")
		}
		if flags, ok := item.get("flags").(members); ok {
			f.checkMembers(path+".flags", flags, step.Flags)
		}
	case documented.QuestionList:
		question, ok := documented.QuestionOf(typ)
		if !ok {
			f.unknownType(path, typ, len(documented.Questions), func(i int) string { return documented.Questions[i].Type })
			return
		}
		f.checkMembers(path, item, slices.Concat(documented.QuestionMembers, question.Parameters))
	case documented.OptionList:
		f.checkMembers(path, item, documented.OptionMembers)
	case documented.KYBFieldList:
		f.checkMembers(path, item, documented.KYBFieldMembers)
	}
}

func (f *sessionFile) unknownType(path, typ string, n int, name func(int) string) {
	if typ == "" {
		f.add(path, "type is missing")
		return
	}
	if f.allowUnknown {
		return
	}
	var known []string
	for i := range n {
		known = append(known, name(i))
	}
	f.unknown(path+".type", fmt.Sprintf("%q is not documented", typ), typ, known)
}

var roleMembers = []documented.Field{
	{Name: "fields", Kind: documented.KYBFieldList},
	{Name: "verification", Kind: documented.Boolean},
}

func (f *sessionFile) checkRole(path string, m member) {
	if !slices.Contains(documented.Roles, m.name) && !f.allowUnknown {
		f.unknown(path, "is not documented", m.name, slices.Clone(documented.Roles))
	}
	object, ok := m.value.(members)
	if f.require(ok, path, "must be an object"); ok {
		f.checkMembers(path, object, roleMembers)
	}
}

// request makes the request of the file's members.
func (f *sessionFile) request(object members) (request identomat.BeginRequest) {
	for _, m := range object {
		text, _ := m.value.(string)
		raw, err := json.Marshal(m.value)
		if err != nil {
			f.add(m.name, "cannot be sent")
			continue
		}
		switch m.name {
		case "flags":
			err = request.Flags.UnmarshalJSON(raw)
		case "steps":
			err = request.Steps.UnmarshalJSON(raw)
		case "config_id":
			request.ConfigID = text
		case "parent_session_id":
			request.ParentSessionID = identomat.Token(text)
		case "name":
			request.Name = text
		case "clientUserId":
			request.ClientUserID = text
		case "groupId":
			request.GroupID = text
		case "scheduleStartTime":
			request.ScheduleStart = f.time(m.name, text)
		case "scheduleEndTime":
			request.ScheduleEnd = f.time(m.name, text)
		default:
			if request.Extra == nil {
				request.Extra = map[string]any{}
			}
			request.Extra[m.name] = json.RawMessage(raw)
		}
		if err != nil {
			f.add(m.name, "cannot be read")
		}
	}
	return request
}

func (f *sessionFile) time(path, text string) time.Time {
	if text == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, text)
	f.require(err == nil, path, "must be a time with a zone, such as 2027-01-31T09:00:00Z")
	return t
}

// errNotSent stops a request that the SDK has found no problem in.
var errNotSent = errors.New("not sent")

type noNetwork struct{}

func (noNetwork) RoundTrip(*http.Request) (*http.Response, error) { return nil, errNotSent }

// checkRules applies the SDK's rules to a request. The request gets no further than the transport.
func (f *sessionFile) checkRules(request identomat.BeginRequest) {
	client, err := identomat.NewClient("key-of-no-company", identomat.WithHTTPClient(&http.Client{Transport: noNetwork{}}),
		identomat.WithRetry(identomat.RetryPolicy{MaxAttempts: 1}))
	if err == nil {
		_, err = client.Sessions.Begin(context.Background(), request)
	}
	if invalid, ok := errors.AsType[*identomat.ValidationError](err); ok {
		for _, p := range invalid.Problems {
			f.add(p.Path, "%s", p.Message)
		}
	} else if !errors.Is(err, errNotSent) {
		f.add("", "%v", err)
	}
}
