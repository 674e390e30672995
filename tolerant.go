package identomat

import (
	"encoding/json"
	"errors"
	"reflect"
	"strconv"
	"strings"
)

// decodeTolerant decodes data into v. A value of a type that v does not expect is left
// out, or converted where nothing is lost, so that one odd field does not hide an
// outcome: production varies in what it writes for the same field, and an empty object may
// come as [].
func decodeTolerant(data []byte, v any) error {
	return decodeTolerantly(data, func() any {
		reflect.ValueOf(v).Elem().SetZero()
		return v
	})
}

// decodeTolerantly is decodeTolerant into a value that fresh empties and returns.
func decodeTolerantly(data []byte, fresh func() any) error {
	v := fresh()
	err := json.Unmarshal(data, v)
	if err == nil {
		return nil
	}
	if _, misfit := errors.AsType[*json.UnmarshalTypeError](err); !misfit {
		return err
	}
	return json.Unmarshal(fit(data, reflect.TypeOf(v).Elem()), fresh())
}

var null = json.RawMessage("null")

var unmarshaler = reflect.TypeFor[json.Unmarshaler]()

// fit rewrites data so that it decodes into a value of type t.
func fit(data json.RawMessage, t reflect.Type) json.RawMessage {
	if json.Unmarshal(data, reflect.New(t).Interface()) == nil {
		return data
	}
	if reflect.PointerTo(t).Implements(unmarshaler) {
		return null
	}
	switch t.Kind() {
	case reflect.Pointer:
		return fit(data, t.Elem())
	case reflect.Struct, reflect.Map:
		var object map[string]json.RawMessage
		if json.Unmarshal(data, &object) != nil {
			return null
		}
		for name, value := range object {
			if field := memberType(t, name); field != nil {
				object[name] = fit(value, field)
			}
		}
		return marshal(object)
	case reflect.Slice:
		var list []json.RawMessage
		if json.Unmarshal(data, &list) != nil {
			return null
		}
		for i := range list {
			list[i] = fit(list[i], t.Elem())
		}
		return marshal(list)
	case reflect.String:
		if c := data[0]; c == '{' || c == '[' {
			return null
		}
		return marshal(string(data)) // a number or a boolean keeps its spelling
	case reflect.Int:
		var f float64
		if json.Unmarshal(data, &f) == nil && f == float64(int64(f)) {
			return json.RawMessage(strconv.FormatInt(int64(f), 10))
		}
	}
	return null
}

// memberType is the type that the member name of an object has in t, or nil.
func memberType(t reflect.Type, name string) reflect.Type {
	if t.Kind() == reflect.Map {
		return t.Elem()
	}
	for _, field := range reflect.VisibleFields(t) {
		if tag, _, _ := strings.Cut(field.Tag.Get("json"), ","); tag == name {
			return field.Type
		}
	}
	return nil
}

func marshal(v any) json.RawMessage {
	data, err := json.Marshal(v)
	if err != nil {
		return null
	}
	return data
}

// unknownFields collects the members of data that a value of type t drops, by their path.
func unknownFields(data json.RawMessage, t reflect.Type, path string, found map[string]json.RawMessage) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.Slice:
		var list []json.RawMessage
		if t.Elem().Kind() == reflect.Uint8 || json.Unmarshal(data, &list) != nil {
			return
		}
		for i, value := range list {
			unknownFields(value, t.Elem(), path+"["+strconv.Itoa(i)+"]", found)
		}
	case reflect.Struct:
		var object map[string]json.RawMessage
		if reflect.PointerTo(t).Implements(unmarshaler) && path != "" || json.Unmarshal(data, &object) != nil {
			return
		}
		for name, value := range object {
			at := strings.TrimPrefix(path+"."+name, ".")
			if field := memberType(t, name); field != nil {
				unknownFields(value, field, at, found)
			} else {
				found[at] = value
			}
		}
	}
}
