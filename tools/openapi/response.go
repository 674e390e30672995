package main

import (
	"encoding/json"
	"fmt"
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
		s := object{{"type", "object"}, {"additionalProperties", true}}
		return r.component(t, s)
	case reflect.Struct:
		return r.component(t, r.structSchema(t))
	}
	panic(fmt.Sprintf("no schema for %s", t))
}

// component adds a schema under the name of its type.
func (r *reflector) component(t reflect.Type, s object) object {
	name := typeName(t)
	if r.components.index(name) < 0 {
		if comment := r.source.typeComment(name); comment != "" {
			s.set("description", comment)
		}
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

func (r *reflector) structSchema(t reflect.Type) object {
	s := object{{"type", "object"}}
	var required []string
	properties := object{}
	name, _, _ := strings.Cut(t.Name(), "[")
	nullable := strings.Contains(r.source.comments[name], " null")
	for f := range t.Fields() {
		wire := jsonName(string(f.Tag))
		if !f.IsExported() || wire == "" || wire == "-" {
			continue
		}
		rules := strings.Split(f.Tag.Get("wire"), ",")
		if slices.Contains(rules, "required") || slices.Contains(rules, "present") {
			required = append(required, wire)
		}
		property := r.schema(f.Type)
		if _, typed := property.get("type").(string); typed && nullable && !slices.Contains(required, wire) {
			property.set("type", []string{property.get("type").(string), "null"})
		}
		property.set("description", r.source.fieldComment(name, f.Name))
		properties.set(wire, property)
	}
	s.set("required", required)
	s.set("properties", properties)
	s.set("additionalProperties", true)
	return s
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
		properties, _ := s.get("properties").(object)
		properties = slices.Clone(properties)
		names := make([]string, 0, len(sample))
		for name := range sample {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
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
