package identomat_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/idenfy"
)

// decodedRecord is a type that is decoded from a response.
type decodedRecord interface {
	Extra() map[string]json.RawMessage
}

// newRecord decodes a T.
func newRecord[T any](_ *testing.T, text string) (decodedRecord, error) {
	v := new(T)
	err := json.Unmarshal([]byte(text), v)
	return any(v).(decodedRecord), err
}

// records holds every type that has a Raw, with the JSON of its required members.
var records = []struct {
	required string
	decode   func(t *testing.T, text string) (decodedRecord, error)
}{
	{`{"result":"rejected"}`, newRecord[identomat.Result]},
	{`{"requestId":"1"}`, newRecord[identomat.Document]},
	{`{"similarity":null}`, newRecord[identomat.FaceComparison]},
	{`{"score":0,"name":"n"}`, newRecord[identomat.ScreeningHit]},
	{`{"firstName":"n"}`, newRecord[identomat.ScreeningPerson]},
	{`{"id":"1"}`, newRecord[identomat.MonitoredRecord]},
	{`{"id":"1"}`, newRecord[identomat.BlacklistRecord]},
	{`{"id":"1"}`, newRecord[identomat.Group]},
	{`{"id":"1"}`, newRecord[identomat.User]},
	{`{"type":"T"}`, newRecord[identomat.Activity]},
	{`{"sessionStartDate":""}`, newRecord[identomat.Statistics]},
	{`{"id":"1"}`, newRecord[identomat.SessionConfig]},
	{`{"data":[],"total":0}`, func(t *testing.T, text string) (decodedRecord, error) {
		client := responding(t, 200, `{"result":`+text+`}`, false)
		return client.Blacklist.ListPage(t.Context(), identomat.BlacklistFilter{}, 0, 0)
	}},
	{`{"authToken":"t","scanRef":"s"}`, newRecord[idenfy.Session]},
	{`{}`, func(_ *testing.T, text string) (decodedRecord, error) {
		return idenfy.DecodeWebhook("", []byte(text))
	}},
}

// oddValues are JSON values of all kinds. Their leaves occur nowhere else.
var oddValues = []string{
	`"zq7"`, `40071`, `-40071`, `0.4711`, `"40071"`, `"0.4711"`, `true`, `"true"`, `false`, `"false"`, `1e999`, `12345678901234567890`, `"12345678901234567890123"`,
	`[40071]`, `["zq7"]`, `["zq7",null,40071]`, `[true]`, `[["zq7"]]`, `[[["zq7"]]]`, `[{"zz":"zq7"}]`, `[null,{"zz":40071}]`, `[40071,{"zz":"zq7"}]`, `{"zz":"zq7"}`, `{"zz":{"zz":[40071]}}`,
	`{"1":"zq7"}`, `{"0":40071,"1":"zq7"}`, `{"1":{"zz":"zq7"}}`, `{"1":{"name":"zq7"}}`, `{"name":"zq7"}`, `{"name":["zq7"]}`, `{"key":{"zz":"zq7"},"name":true}`, `{"":"zq7"}`,
}

// TestEveryValueIsHeldOrExtra puts odd values into every field of every type that is decoded from a
// response, at every depth. Each must be in a field or Extra, unless the response is refused.
func TestEveryValueIsHeldOrExtra(t *testing.T) {
	checked, refused := 0, 0
	for _, r := range records {
		zero, err := r.decode(t, r.required)
		require.NoError(t, err, r.required)
		typ := reflect.TypeOf(zero).Elem()
		for _, path := range wirePaths(typ) {
			for _, value := range oddValues {
				var members map[string]json.RawMessage
				require.NoError(t, json.Unmarshal([]byte(r.required), &members))
				members[path[0]] = json.RawMessage(nested(path[1:], value))
				text, err := json.Marshal(members)
				require.NoError(t, err)
				got, err := r.decode(t, string(text))
				if err != nil {
					refused++
					continue
				}
				checked++
				held := leavesOf(nil, reflect.ValueOf(got).Elem())
				for _, raw := range got.Extra() {
					held = leavesOfJSON(held, raw)
				}
				for _, leaf := range leavesOfJSON(nil, []byte(value)) {
					assert.True(t, holds(held, leaf), "%s: %s is lost in %s", typ, leaf, text)
				}
			}
		}
	}
	t.Logf("%d values are held, %d responses are refused", checked, refused)
	assert.Greater(t, checked, 5000)
	assert.Less(t, refused, checked/5)
}

// wirePaths returns the paths of all fields. An element [] stands for a list.
func wirePaths(t reflect.Type) (paths [][]string) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() == reflect.Slice && t != reflect.TypeFor[json.RawMessage]() && t != reflect.TypeFor[identomat.Steps]() {
		for _, path := range wirePaths(t.Elem()) {
			paths = append(paths, append([]string{"[]"}, path...))
		}
	}
	if t.Kind() != reflect.Struct || t == reflect.TypeFor[time.Time]() || t == reflect.TypeFor[identomat.Answer]() {
		return paths
	}
	for _, f := range reflect.VisibleFields(t) {
		names, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || names == "" || names == "-" {
			continue
		}
		all := []string{names}
		if _, alias, found := strings.Cut(f.Tag.Get("wire"), "alias="); found {
			all = append(all, alias)
		}
		for _, name := range all {
			paths = append(paths, []string{name})
			for _, path := range wirePaths(f.Type) {
				paths = append(paths, append([]string{name}, path...))
			}
		}
	}
	return paths
}

// nested puts a value at a path.
func nested(path []string, value string) string {
	switch {
	case len(path) == 0:
		return value
	case path[0] == "[]":
		return "[" + nested(path[1:], value) + "]"
	}
	return `{"` + path[0] + `":` + nested(path[1:], value) + "}"
}

// leavesOfJSON appends the strings, numbers and booleans in a JSON value.
func leavesOfJSON(leaves []string, data []byte) []string {
	dec := json.NewDecoder(strings.NewReader(string(data)))
	dec.UseNumber()
	var value any
	if dec.Decode(&value) != nil {
		return leaves
	}
	return leavesOf(leaves, reflect.ValueOf(&value).Elem())
}

// leavesOf appends what the exported fields of a value hold.
func leavesOf(leaves []string, v reflect.Value) []string {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return leaves
		}
		if step, ok := v.Interface().(identomat.AnyStep); ok {
			data, _ := json.Marshal(step)
			return leavesOfJSON(leaves, data)
		}
		return leavesOf(leaves, v.Elem())
	case reflect.Struct:
		switch value := v.Interface().(type) {
		case time.Time:
			return append(leaves, strconv.FormatInt(value.Unix(), 10))
		case identomat.Answer:
			return leavesOfJSON(leaves, value.Raw())
		}
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				leaves = leavesOf(leaves, v.Field(i))
			}
		}
	case reflect.Slice:
		if raw, ok := v.Interface().(json.RawMessage); ok {
			return leavesOfJSON(leaves, raw)
		}
		for i := range v.Len() {
			leaves = leavesOf(leaves, v.Index(i))
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			leaves = leavesOf(leaves, v.MapIndex(key))
		}
	case reflect.String:
		return append(leaves, v.String())
	case reflect.Bool:
		return append(leaves, strconv.FormatBool(v.Bool()))
	case reflect.Int, reflect.Int64:
		return append(leaves, strconv.FormatInt(v.Int(), 10))
	case reflect.Float64:
		return append(leaves, "~"+strconv.FormatFloat(v.Float(), 'g', -1, 64))
	}
	return leaves
}

// holds reports whether held contains leaf as a string, as a float64 (marked ~), or in a JSON object or
// list.
func holds(held []string, leaf string) bool {
	return slices.ContainsFunc(held, func(h string) bool {
		if float, ok := strings.CutPrefix(h, "~"); ok {
			number, err := strconv.ParseFloat(leaf, 64)
			other, _ := strconv.ParseFloat(float, 64)
			return err == nil && number == other
		}
		return strings.EqualFold(h, leaf) || strings.ContainsAny(h, "{[") && strings.Contains(h, leaf)
	})
}
