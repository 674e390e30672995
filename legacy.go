package identomat

import (
	"cmp"
	"errors"
	"strconv"

	"github.com/identomat-go/identomat/internal/wire"
)

// What other files still need of the builders, until requests are encoded from structs.

// members is the JSON object of a request.
type members struct{ json string }

// member is one name and JSON value of an object.
type member struct{ name, value string }

func (m members) and(name, value string) members {
	return members{wire.Set(cmp.Or(m.json, "{}"), name, []byte(value))}
}

func (m members) andAll(list []member) members {
	for _, member := range list {
		m = m.and(member.name, member.value)
	}
	return m
}

func (m members) appendJSON([]byte) ([]byte, error) { return marshalText(cmp.Or(m.json, "{}")) }

func jsonString(s string) string {
	var buf [128]byte
	return string(wire.AppendString(buf[:0], s))
}

func jsonStrings[S ~string](list []S) string { return string(wire.AppendStrings(nil, list)) }

func jsonBool(b bool) string { return strconv.FormatBool(b) }

func jsonInt(n int) string { return strconv.Itoa(n) }

func jsonObject(m members) string { return cmp.Or(m.json, "{}") }

var errNotArray = errors.New("identomat: not a JSON array")
