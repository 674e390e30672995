package idenfy

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
)

// object is a JSON object by the exact names of its members.
type object map[string]json.RawMessage

var errNotObject = errors.New("idenfy: not one JSON object")

// readObject reads exactly one JSON object. Of two members of one name the later counts,
// as encoding/json has it, but the names in single must not have two values: nobody shall
// be taken for somebody else by a second opinion.
func readObject(data []byte, single ...string) (object, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return nil, errNotObject
	}
	o := object{}
	for dec.More() {
		token, err := dec.Token()
		name, ok := token.(string)
		var value json.RawMessage
		if err != nil || !ok || dec.Decode(&value) != nil {
			return nil, errNotObject
		}
		if earlier, twice := o[name]; twice && !bytes.Equal(earlier, value) && slices.Contains(single, name) {
			return nil, errors.New("idenfy: " + name + " has two values")
		}
		o[name] = value
	}
	if _, err := dec.Token(); err != nil {
		return nil, errNotObject
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errNotObject
	}
	return o, nil
}

// read decodes a member, or is zero for one that is missing, null or of another type: an
// odd echo must not hide a session that was paid for.
func read[T any](o object, name string) T {
	var value, zero T
	if json.Unmarshal(o[name], &value) != nil {
		return zero
	}
	return value
}

// text is a member that is a string, or the spelling of a number.
func text(o object, name string) string {
	var number json.Number
	if value := o[name]; len(value) > 0 && value[0] != '"' && json.Unmarshal(value, &number) == nil {
		return number.String()
	}
	return read[string](o, name)
}

func notNull(value json.RawMessage) json.RawMessage {
	if string(value) == "null" {
		return nil
	}
	return value
}
