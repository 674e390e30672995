package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/identomat-go/identomat/internal/documented"
)

// The schemas of requests, from the tables in internal/documented.

func ref(name string) object { return object{{"$ref", "#/components/schemas/" + name}} }

// openText is a string with known values. Others may occur, so it is no enum.
func openText(values []string) object {
	s := object{{"type", "string"}}
	s.set("x-extensible-enum", values)
	return s
}

// fieldSchema returns the schema of a field. flagSet names the schema of the field's flags, if it is a
// FlagSet.
func fieldSchema(f documented.Field, flagSet, source string) object {
	var s object
	switch f.Kind {
	case documented.Text, documented.Password:
		s = openText(f.Values)
	case documented.Boolean:
		s = object{{"type", "boolean"}}
	case documented.Integer:
		s = object{{"type", "integer"}}
	case documented.Texts:
		s = object{{"type", "array"}, {"items", openText(f.Values)}}
	case documented.Nested:
		s = fieldsSchema(f.Fields, "", source)
	case documented.Picture:
		s = object{{"type", "string"}, {"format", "binary"}}
	case documented.Title:
		s = ref("LocalizedText")
	case documented.FlagSet:
		s = ref(flagSet)
	case documented.StepList:
		s = object{{"type", "array"}, {"items", ref("Step")}}
	case documented.QuestionList:
		s = object{{"type", "array"}, {"items", ref("Question")}}
	case documented.OptionList:
		s = object{{"type", "array"}, {"items", ref("QuestionOption")}, {"minItems", 1}}
	case documented.KYBFieldList:
		s = object{{"type", "array"}, {"items", ref("KYBField")}}
	case documented.RoleSet:
		s = ref("KYBRoles")
	default:
		panic(fmt.Sprintf("%s: unknown kind", f.Name))
	}
	if f.Nullable {
		s.set("type", []string{"string", "null"})
	}
	if f.Required && f.Kind == documented.Text {
		s.set("minLength", 1) // an empty value counts as missing
	}
	if f.Default != "" {
		s.set("default", json.RawMessage(f.Default))
	}
	s.set("description", describe(f))
	if f.Source != "" {
		source = f.Source
	}
	s.set("x-source", source)
	if f.Name == "documentTypes" {
		s.set("x-go-name", "DocumentTypesInCamelCase") // generators would give document_types the same name
	}
	return s
}

// describe returns the description of a field with its known values.
func describe(f documented.Field) string {
	if len(f.Values) == 0 {
		return f.Description
	}
	return f.Description + " Known values: " + strings.Join(f.Values, ", ") + "."
}

// fieldsSchema returns the schema of an object with these members.
func fieldsSchema(fields []documented.Field, flagSet, source string) object {
	var properties object
	var required []string
	for _, f := range fields {
		properties = append(properties, member{f.Name, fieldSchema(f, flagSet, source)})
		if f.Required {
			required = append(required, f.Name)
		}
	}
	s := object{{"type", "object"}}
	s.set("required", required)
	s.set("properties", properties)
	return s
}

// typed returns the schema of an object whose type has one value.
func typed(name, description, source string, fields []documented.Field, flagSet, key string) object {
	s := fieldsSchema(fields, flagSet, source)
	properties := s.get("properties").(object)
	kind := properties.get("type").(object)
	properties.set("type", object{{"type", "string"}, {"const", name}, {"description", kind.get("description")}})
	if keyed, ok := properties.get("key").(object); ok && key != "" {
		keyed.set("default", key)
		properties.set("key", keyed)
	}
	s.set("description", description)
	s.set("x-source", source)
	return s
}

// otherTyped returns the schema of an object of a type that is not in the documentation.
func otherTyped(description string, fields []documented.Field, names []string) object {
	s := fieldsSchema(fields, "OtherFlags", "")
	properties := s.get("properties").(object)
	kind := properties.get("type").(object)
	kind.set("not", object{{"enum", names}})
	properties.set("type", kind)
	s.set("additionalProperties", true)
	s.set("description", description)
	return s
}

// beginSchemas returns the schemas of flags, steps, questions, and the fields and roles of companies.
func beginSchemas() object {
	out := object{
		{"LocalizedText", object{
			{"description", "A text, or one text per language, keyed by the code of the language."},
			{"oneOf", []any{
				object{{"type", "string"}},
				object{{"type", "object"}, {"additionalProperties", object{{"type", "string"}}}},
			}},
		}},
	}
	flags := fieldsSchema(documented.Flags, "", "")
	flags.set("additionalProperties", true)
	flags.set("description", "Options for the whole session. The service may know further flags.")
	out = append(out, member{"Flags", flags},
		member{"OtherFlags", object{{"type", "object"}, {"additionalProperties", true}, {"description", "Flags of a type of step that is not in the documentation."}}})

	var steps []any
	var names []string
	for _, step := range documented.Steps {
		name := pascal(step.Type) + "Step"
		flagSet := name + "Flags"
		members := slices.Concat(documented.StepMembers, step.Parameters)
		if len(step.Flags) == 0 {
			members = slices.DeleteFunc(members, func(f documented.Field) bool { return f.Kind == documented.FlagSet })
		} else {
			s := fieldsSchema(step.Flags, "", step.Source)
			s.set("additionalProperties", true)
			s.set("description", "The flags of the step "+step.Type+". The service may know further flags.")
			out = append(out, member{flagSet, s})
		}
		if step.Key == "" {
			i := slices.IndexFunc(members, func(f documented.Field) bool { return f.Name == "key" })
			members[i].Required = true
		}
		out = append(out, member{name, typed(step.Type, step.Description, step.Source, members, flagSet, step.Key)})
		steps, names = append(steps, ref(name)), append(names, step.Type)
	}
	out = append(out,
		member{"OtherStep", otherTyped("A step of a type that is not in the documentation.", documented.StepMembers, names)},
		member{"Step", object{{"description", "A step of a session. Its type says which members it has."}, {"anyOf", append(steps, ref("OtherStep"))}}})

	var questions []any
	names = nil
	for _, question := range documented.Questions {
		name := pascal(question.Type) + "Question"
		out = append(out, member{name, typed(question.Type, question.Description, question.Source,
			slices.Concat(documented.QuestionMembers, question.Parameters), "", "")})
		questions, names = append(questions, ref(name)), append(names, question.Type)
	}
	out = append(out,
		member{"OtherQuestion", otherTyped("A question of a type that is not in the documentation.", documented.QuestionMembers, names)},
		member{"Question", object{{"description", "A question of a questionnaire. Its type says which members it has."}, {"anyOf", append(questions, ref("OtherQuestion"))}}},
		member{"QuestionOption", fieldsSchema(documented.OptionMembers, "", "Developer guide 2025, User questionnaire")},
		member{"KYBField", fieldsSchema(documented.KYBFieldMembers, "", "Developer guide 2025, KYB")},
		member{"KYBRole", fieldsSchema(documented.RoleMembers, "", "Developer guide 2025, Beneficiaries step")})
	var roles object
	for _, role := range documented.Roles {
		roles = append(roles, member{role, ref("KYBRole")})
	}
	return append(out, member{"KYBRoles", object{{"type", "object"}, {"description", "The roles of beneficiaries to ask for."}, {"properties", roles},
		{"x-source", "Developer guide 2025, Beneficiaries step"}}})
}

// pascal returns a name in Pascal case: IdentityDocument for identity-document.
func pascal(name string) string {
	var b strings.Builder
	for part := range strings.FieldsFuncSeq(name, func(r rune) bool { return r == '-' || r == '/' || r == '_' }) {
		b.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	return b.String()
}

// camel returns a name in camel case: resultCardFront for result/card-front/.
func camel(name string) string {
	p := pascal(name)
	return strings.ToLower(p[:1]) + p[1:]
}
