package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/internal/operation"
)

// The schemas of responses, from the SDK's types and the samples in the API reference.

// results are the types of the data in the responses, by operation. A Result shape has the data in its
// member "result".
var results = map[*operation.Operation]reflect.Type{
	operation.SessionResult:      reflect.TypeFor[identomat.Result](),
	operation.DocumentFacePhoto:  reflect.TypeFor[string](),
	operation.SessionActivities:  reflect.TypeFor[[]identomat.Activity](),
	operation.SessionStatistics:  reflect.TypeFor[[]identomat.Statistics](),
	operation.VisualMarkers:      reflect.TypeFor[[][]string](),
	operation.QuestionFile:       reflect.TypeFor[[][]string](),
	operation.ScreeningSearch:    reflect.TypeFor[[]identomat.ScreeningHit](),
	operation.ScreeningPerson:    reflect.TypeFor[identomat.ScreeningPerson](),
	operation.ScreeningMonitor:   reflect.TypeFor[string](),
	operation.ScreeningMonitored: reflect.TypeFor[identomat.Page[identomat.MonitoredRecord]](),
	operation.BlacklistAdd:       reflect.TypeFor[string](),
	operation.BlacklistList:      reflect.TypeFor[identomat.Page[identomat.BlacklistRecord]](),
	operation.VideoCallShots:     reflect.TypeFor[[][]string](),
	operation.GroupsList:         reflect.TypeFor[[]identomat.Group](),
	operation.GroupCreate:        reflect.TypeFor[createdGroup](),
	operation.UsersList:          reflect.TypeFor[[]identomat.User](),
	operation.UserCreate:         reflect.TypeFor[string](),
	operation.SessionConfig:      reflect.TypeFor[identomat.SessionConfig](),
	operation.CardFront:          reflect.TypeFor[identomat.Document](),
	operation.CardBack:           reflect.TypeFor[identomat.Document](),
	operation.LicenseFront:       reflect.TypeFor[identomat.Document](),
	operation.LicenseBack:        reflect.TypeFor[identomat.Document](),
	operation.ResidenceFront:     reflect.TypeFor[identomat.Document](),
	operation.ResidenceBack:      reflect.TypeFor[identomat.Document](),
	operation.Passport:           reflect.TypeFor[identomat.Document](),
	operation.CompareFaces:       reflect.TypeFor[identomat.FaceComparison](),
}

// meanings describe the data that have no type with a comment.
var meanings = map[*operation.Operation]string{
	operation.DocumentFacePhoto: "The image as a data URI. It may lack the comma before the base64 text, and it may declare a wrong type.",
	operation.VisualMarkers:     dataURIs,
	operation.QuestionFile:      dataURIs,
	operation.ScreeningMonitor:  "The id of the monitored query.",
	operation.BlacklistAdd:      "The id of the record.",
	operation.BlacklistRemove:   "True if the record was removed.",
	operation.VideoCallShots:    dataURIs,
	operation.UserCreate:        "The id of the user.",
}

const dataURIs = "Lists of data URIs. Each holds a tar archive, or a file alone. The declared type may be wrong."

// createdGroup is the response of make-group.
type createdGroup struct {
	ID string `json:"id" wire:"required"`
}

// reflector makes schemas of Go types. Those of structs become components.
type reflector struct {
	source     *source
	components object
}

var stepsType, answerType, rawType = reflect.TypeFor[identomat.Steps](), reflect.TypeFor[identomat.Answer](), reflect.TypeFor[json.RawMessage]()

// schema returns a schema that accepts what the SDK decodes into t without a loss.
func (r *reflector) schema(t reflect.Type) object {
	switch t {
	case stepsType:
		return object{{"type", "array"}, {"items", ref("Step")}}
	case answerType, rawType:
		return object{}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return r.schema(t.Elem())
	case reflect.String:
		return openText(r.source.values[t.Name()])
	case reflect.Bool:
		return object{{"type", "boolean"}}
	case reflect.Int, reflect.Int64:
		return object{{"type", "integer"}}
	case reflect.Float64:
		return object{{"type", "number"}, {"format", "double"}}
	case reflect.Interface:
		return object{}
	case reflect.Slice:
		return object{{"type", "array"}, {"items", r.schema(t.Elem())}}
	case reflect.Map:
		if t.Name() == "" {
			return object{{"type", "object"}, {"additionalProperties", r.schema(t.Elem())}}
		}
		return r.component(t, object{{"type", "object"}, {"additionalProperties", true}})
	case reflect.Struct:
		return r.component(t, r.structSchema(t))
	}
	panic(fmt.Sprintf("no schema for %s", t))
}

// component adds a schema under the name of its type.
func (r *reflector) component(t reflect.Type, s object) object {
	name := typeName(t)
	if r.components.index(name) < 0 {
		s.set("description", r.source.typeComment(baseName(t)))
		s.set("x-source", r.source.typeSource(baseName(t)))
		r.components.set(name, s)
	}
	return ref(name)
}

// typeName returns the name of a type: PageOfBlacklistRecord for Page[BlacklistRecord].
func typeName(t reflect.Type) string {
	name, argument, generic := strings.Cut(t.Name(), "[")
	if !generic {
		return strings.ToUpper(name[:1]) + name[1:]
	}
	argument = strings.TrimSuffix(argument, "]")
	return name + "Of" + argument[strings.LastIndex(argument, ".")+1:]
}

// structSchema returns the schema of a struct. If the comment of its type says that values can be null, so
// can all but the required members.
func (r *reflector) structSchema(t reflect.Type) object {
	var required []string
	properties := object{}
	nullable := strings.Contains(r.source.comments[baseName(t)], " null")
	for _, f := range reflect.VisibleFields(t) {
		wire := jsonName(string(f.Tag))
		if !f.IsExported() || f.Anonymous || wire == "" || wire == "-" {
			continue
		}
		owner := t
		if len(f.Index) > 1 {
			owner = t.FieldByIndex(f.Index[:len(f.Index)-1]).Type
		}
		rules := strings.Split(f.Tag.Get("wire"), ",")
		if slices.Contains(rules, "required") || slices.Contains(rules, "present") {
			required = append(required, wire)
		}
		property := r.schema(f.Type)
		if kind, typed := property.get("type").(string); typed && nullable && !slices.Contains(required, wire) {
			property.set("type", []string{kind, "null"})
		}
		property.set("description", r.source.fieldComment(baseName(owner), f.Name))
		properties.set(wire, property)
	}
	s := object{{"type", "object"}}
	s.set("required", required)
	s.set("properties", properties)
	s.set("additionalProperties", true)
	return s
}

// baseName returns the name of a type without type arguments.
func baseName(t reflect.Type) string {
	name, _, _ := strings.Cut(t.Name(), "[")
	return name
}

// widen changes a schema so that it accepts a sample. Members that are new get a schema of their own.
func (r *reflector) widen(s *object, sample any) {
	if target, ok := s.get("$ref").(string); ok {
		name := target[strings.LastIndex(target, "/")+1:]
		i := r.components.index(name)
		if i < 0 {
			return // a schema of requests
		}
		component := r.components[i].value.(object)
		r.widen(&component, sample)
		r.components[i].value = component
		return
	}
	if len(*s) == 0 || s.index("type") < 0 && s.index("description") == 0 && len(*s) == 1 {
		return // accepts anything
	}
	kind := jsonType(sample)
	types := typesOf(*s)
	if !slices.Contains(types, kind) && !(kind == "integer" && slices.Contains(types, "number")) {
		types = append(types, kind)
		s.set("type", types)
	}
	switch sample := sample.(type) {
	case []any:
		items, _ := s.get("items").(object)
		for _, item := range sample {
			if items == nil {
				items = object{{"type", jsonType(item)}}
			}
			r.widen(&items, item)
		}
		if items != nil {
			s.set("items", items)
		}
	case map[string]any:
		if _, keyed := s.get("additionalProperties").(object); keyed {
			return // the keys are data
		}
		properties, _ := s.get("properties").(object)
		properties = slices.Clone(properties)
		for _, name := range slices.Sorted(maps.Keys(sample)) {
			property, known := properties.get(name).(object)
			if !known {
				property = object{{"type", jsonType(sample[name])}}
			}
			property = slices.Clone(property)
			r.widen(&property, sample[name])
			properties.set(name, property)
		}
		s.set("properties", properties)
		s.set("additionalProperties", true)
	}
}

func typesOf(s object) []string {
	switch types := s.get("type").(type) {
	case string:
		return []string{types}
	case []string:
		return slices.Clone(types)
	}
	return nil
}

func jsonType(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case json.Number:
		if _, err := v.Int64(); err == nil {
			return "integer"
		}
		return "number"
	case []any:
		return "array"
	}
	return "object"
}

// rename renames a property of a component. The SDK reads the property under both names.
func (r *reflector) rename(component, from, to string) {
	s := r.components.get(component).(object)
	properties := s.get("properties").(object)
	if i := properties.index(from); i >= 0 {
		property := properties[i].value.(object)
		property.set("description", strings.ReplaceAll(property.get("description").(string), "`"+from+"`", "`"+to+"`"))
		properties[i] = member{to, property}
	}
	if i := properties.index("limit"); i >= 0 {
		limit := properties[i].value.(object)
		limit.set("description", properties.get(to).(object).get("description"))
	}
}
