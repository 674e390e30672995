package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// A Codec decodes responses into structs with json tags. The service varies in how it writes a
// field, and one unexpected value must not hide an outcome. So a value that does not fit the type of
// its field leaves the field zero, and [Codec.Extra] returns the value. Values of these other types
// fit, because coercing them loses nothing:
//
//   - a number or boolean for a string, stored as its JSON text,
//   - "0.93" for a number and "true" for a boolean,
//   - a single element for a list of one,
//   - an object whose keys are numbers, as PHP writes some lists, for a list,
//   - [] for an empty object.
//
// A [time.Time] is seconds since 1970. In a field of type any, a number is a [json.Number].
//
// Three tags make a field strict. wire:"present" refuses a response in which the field is absent.
// wire:"required" also refuses null, an empty string, and a value that does not fit. wire:"strict"
// allows the field to be absent, but refuses a value or an element that does not fit, a duplicate
// field, and a differently cased name.
//
// Names match exactly. If a name is duplicated, the last member wins. wire:"alias=name" gives a
// field a second name, which is used if the field is otherwise empty.
type Codec struct {
	isRecord func(reflect.Type) bool
	after    func(record any, raw json.RawMessage, held bool) error
	types    cache[decodeFunc]
}

// NewCodec returns a codec that calls the function after for each decoded struct whose type isRecord
// accepts. It passes a pointer to the struct, the struct's JSON, and whether the struct holds all of the
// JSON, so that [Codec.Extra] is empty. If the function returns an error, the whole response is refused.
func NewCodec(isRecord func(reflect.Type) bool, after func(record any, raw json.RawMessage, held bool) error) *Codec {
	return &Codec{isRecord: isRecord, after: after}
}

// Implementing returns a function that reports whether a pointer to a type implements I.
func Implementing[I any]() func(reflect.Type) bool {
	return func(t reflect.Type) bool { return reflect.PointerTo(t).Implements(reflect.TypeFor[I]()) }
}

// errMisfit does not show the value, which may be personal data.
var errMisfit = errors.New("the JSON does not fit the type")

// Decode decodes data, which must be valid JSON, into v, a pointer to a zero value. The value may
// refer to data, so data must not change afterwards.
func (c *Codec) Decode(data []byte, v any) error {
	d := decoding{codec: c, data: data}
	to := reflect.ValueOf(v).Elem()
	_, fits := c.decoder(to.Type())(&d, to, skipSpace(data, 0))
	if !fits {
		d.refuse()
	}
	return d.err
}

// Unmarshal is Decode for UnmarshalJSON methods: it validates data, copies it, and replaces the
// value that v points to.
func (c *Codec) Unmarshal(data []byte, v any) error {
	data = TrimBOM(data)
	if _, ok := Scan(data, nil); !ok {
		return errors.New("malformed JSON")
	}
	fresh := reflect.New(reflect.TypeOf(v).Elem())
	if err := c.Decode(bytes.Clone(data), fresh.Interface()); err != nil {
		return err
	}
	reflect.ValueOf(v).Elem().Set(fresh.Elem())
	return nil
}

// Extra returns the members of data that a value of v's type does not hold, keyed by path: unknown
// members, and members of the wrong type.
func (c *Codec) Extra(data []byte, v any) map[string]json.RawMessage {
	d := decoding{codec: c, data: data, extra: map[string]json.RawMessage{}}
	if len(data) > 0 {
		to := reflect.New(reflect.TypeOf(v).Elem()).Elem()
		c.decoder(to.Type())(&d, to, skipSpace(data, 0))
	}
	return d.extra
}

// decoding is one walk over JSON text.
type decoding struct {
	codec *Codec
	data  []byte
	texts strings.Builder // buffer of the method text
	err   error           // from structPlan.after, or because a strict field did not fit
	// strict is greater than 0 within a strict field.
	strict int
	extra  map[string]json.RawMessage
	path   []byte // path of the value being decoded; not used unless extra is collected
	lost   int    // number of values that no field holds
}

// A decodeFunc decodes the value that begins at i and returns the index after the value. If the
// value does not fit, v is zero.
type decodeFunc func(d *decoding, v reflect.Value, i int) (end int, fits bool)

// decoder returns the function for a type, from the cache if it is there.
func (c *Codec) decoder(t reflect.Type) decodeFunc {
	return c.types.get(t, c.newDecoder)
}

// cache holds one value for each type. It needs less code than a [sync.Map], which would be
// instantiated in every importing package.
type cache[V any] struct {
	mu     sync.RWMutex
	values map[reflect.Type]V
}

func (c *cache[V]) get(t reflect.Type, make func(reflect.Type) V) V {
	c.mu.RLock()
	v, ok := c.values[t]
	c.mu.RUnlock()
	if ok {
		return v
	}
	v = make(t) // without the lock, because make calls get; make may run twice for a type
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.values == nil {
		c.values = map[reflect.Type]V{}
	}
	c.values[t] = v
	return v
}

var (
	rawType     = reflect.TypeFor[json.RawMessage]()
	unmarshaler = reflect.TypeFor[json.Unmarshaler]()
)

func (c *Codec) newDecoder(t reflect.Type) decodeFunc {
	switch {
	case t == rawType:
		return decodeRaw
	case t == timeType:
		return decodeUnixTime
	case !c.isRecord(t) && reflect.PointerTo(t).Implements(unmarshaler):
		return decodeUnmarshaler
	}
	switch t.Kind() {
	case reflect.String:
		return decodeString
	case reflect.Bool:
		return decodeBool
	case reflect.Int, reflect.Int64:
		return decodeInt
	case reflect.Float64:
		return decodeFloat
	case reflect.Pointer:
		return c.pointerDecoder(t)
	case reflect.Slice:
		return c.sliceDecoder(t)
	case reflect.Struct:
		return c.structDecoder(t)
	case reflect.Interface:
		return decodeAny
	case reflect.Map:
		if t.Elem().Kind() == reflect.Interface {
			return decodeObject
		}
	}
	return decodeOther
}

// isNull reports whether null begins at i.
func (d *decoding) isNull(i int) bool { return d.data[i] == 'n' }

func decodeRaw(d *decoding, v reflect.Value, i int) (int, bool) {
	end := skip(d.data, i)
	if !d.isNull(i) {
		v.SetBytes(d.data[i:end:end])
	}
	return end, true
}

func decodeUnmarshaler(d *decoding, v reflect.Value, i int) (int, bool) {
	end := skip(d.data, i)
	if err := v.Addr().Interface().(json.Unmarshaler).UnmarshalJSON(d.data[i:end]); err != nil {
		v.SetZero()
		return end, false
	}
	return end, true
}

// decodeAny decodes a value of any type.
func decodeAny(d *decoding, v reflect.Value, i int) (int, bool) {
	value, end := d.value(i, 0)
	if value != nil {
		v.Set(reflect.ValueOf(value))
	}
	return end, true
}

// decodeObject decodes an object whose members have any type.
func decodeObject(d *decoding, v reflect.Value, i int) (int, bool) {
	size := 0
	if d.data[i] == '{' {
		size = d.rest(skipSpace(d.data, i+1))
	}
	value, end := d.value(i, size)
	switch value := value.(type) {
	case nil:
	case map[string]any:
		v.Set(reflect.ValueOf(value).Convert(v.Type()))
	case []any:
		if len(value) > 0 {
			return end, false
		}
		v.Set(reflect.MakeMap(v.Type())) // [] is an empty object
	default:
		return end, false
	}
	return end, true
}

// value returns the value that begins at i, as encoding/json does, and the index after it. A
// number keeps its spelling, because a float64 would round a long document number. If the value is
// an object, size is the expected number of members.
func (d *decoding) value(i, size int) (v any, end int) {
	switch d.data[i] {
	case '{':
		object := make(map[string]any, size)
		for i = skipSpace(d.data, i+1); d.data[i] != '}'; i = d.afterComma(i) {
			name, end := d.string(i)
			object[name], i = d.value(d.afterColon(end), 0)
		}
		return object, i + 1
	case '[':
		list := []any{}
		for i = skipSpace(d.data, i+1); d.data[i] != ']'; i = d.afterComma(i) {
			var element any
			element, i = d.value(i, 0)
			list = append(list, element)
		}
		return list, i + 1
	case '"':
		return d.string(i)
	}
	end = skip(d.data, i)
	switch d.data[i] {
	case 't', 'f':
		return d.data[i] == 't', end
	case 'n':
		return nil, end
	}
	return json.Number(d.text(d.data[i:end])), end
}

// rest returns the number of elements or members from i to the end of an array or object.
func (d *decoding) rest(i int) (n int) {
	for ; d.data[i] != '}' && d.data[i] != ']'; n++ {
		i = skipSpace(d.data, skip(d.data, i))
		if d.data[i] == ':' {
			i = skip(d.data, skipSpace(d.data, i+1))
		}
		i = d.afterComma(i)
	}
	return n
}

// string returns the text of the string that begins at i, and the index after the string.
func (d *decoding) string(i int) (s string, end int) {
	if end = skipPlain(d.data, i+1); d.data[end] == '"' {
		return d.text(d.data[i+1 : end]), end + 1
	}
	end = SkipString(d.data, i)
	text := d.data[i+1 : end-1]
	if bytes.IndexByte(text, '\\') >= 0 || !utf8.Valid(text) {
		var buf [128]byte
		text = appendUnescaped(buf[:0], text)
	}
	return d.text(text), end
}

// sharedTexts is the size of the buffers that short texts share. A text that the caller keeps retains
// at most one buffer.
const sharedTexts = 512

// text returns s as a string.
func (d *decoding) text(s []byte) string {
	if len(s) > sharedTexts/4 {
		return string(s)
	}
	if d.texts.Len()+len(s) > d.texts.Cap() {
		d.texts.Reset()
		d.texts.Grow(min(sharedTexts, max(len(d.data), len(s))))
	}
	from := d.texts.Len()
	d.texts.Write(s)
	return d.texts.String()[from:]
}

// decodeOther decodes values of other types, such as maps of texts.
func decodeOther(d *decoding, v reflect.Value, i int) (int, bool) {
	end := skip(d.data, i)
	if v.Kind() == reflect.Map && d.data[i] == '[' && d.data[skipSpace(d.data, i+1)] == ']' {
		v.Set(reflect.MakeMap(v.Type()))
		return end, true
	}
	if json.Unmarshal(d.data[i:end], v.Addr().Interface()) != nil {
		v.SetZero()
		return end, false
	}
	return end, true
}

func decodeString(d *decoding, v reflect.Value, i int) (int, bool) {
	if d.data[i] == '"' {
		text, end := d.string(i)
		v.SetString(text)
		return end, true
	}
	end := skip(d.data, i)
	switch d.data[i] {
	case '{', '[':
		return end, false
	case 'n':
	default:
		v.SetString(d.text(d.data[i:end]))
	}
	return end, true
}

func decodeBool(d *decoding, v reflect.Value, i int) (int, bool) {
	end := skip(d.data, i)
	switch string(d.data[i:end]) {
	case "true", `"true"`:
		v.SetBool(true)
	case "false", `"false"`, "null":
	default:
		return end, false
	}
	return end, true
}

func decodeInt(d *decoding, v reflect.Value, i int) (int, bool) {
	end := skip(d.data, i)
	if d.isNull(i) {
		return end, true
	}
	number := d.number(i, end)
	n, err := strconv.ParseInt(string(number), 10, 64)
	if err != nil {
		// A float64 holds every integer up to 1<<53. The first integer that it does not hold is
		// rounded to 1<<53, so that bound is refused, too.
		f, err := strconv.ParseFloat(string(number), 64)
		if err != nil || f != math.Trunc(f) || math.Abs(f) >= 1<<53 {
			return end, false
		}
		n = int64(f)
	}
	if v.OverflowInt(n) { // on a 32-bit machine
		return end, false
	}
	v.SetInt(n)
	return end, true
}

func decodeUnixTime(d *decoding, v reflect.Value, i int) (int, bool) {
	var seconds int64
	end, fits := decodeInt(d, reflect.ValueOf(&seconds).Elem(), i)
	if seconds > 0 {
		v.Set(reflect.ValueOf(time.Unix(seconds, 0).UTC()))
	}
	return end, fits && seconds >= 0
}

func decodeFloat(d *decoding, v reflect.Value, i int) (int, bool) {
	end := skip(d.data, i)
	if d.isNull(i) {
		return end, true
	}
	f, err := strconv.ParseFloat(string(d.number(i, end)), 64)
	if err != nil {
		return end, false
	}
	v.SetFloat(f)
	return end, true
}

// number returns the text of a number, without its quotes if there are any. It returns nil for any other
// value.
func (d *decoding) number(i, end int) []byte {
	if d.data[i] == '"' {
		i, end = i+1, end-1
	}
	if number(d.data, i) != end {
		return nil // strconv parses more than JSON, such as Inf and 0x1p-2
	}
	return d.data[i:end]
}

func (c *Codec) pointerDecoder(t reflect.Type) decodeFunc {
	elem := c.decoder(t.Elem())
	return func(d *decoding, v reflect.Value, i int) (int, bool) {
		if d.isNull(i) {
			return skip(d.data, i), true
		}
		to := reflect.New(t.Elem())
		end, fits := elem(d, to.Elem(), i)
		if fits {
			v.Set(to)
		}
		return end, fits
	}
}

func (c *Codec) sliceDecoder(t reflect.Type) decodeFunc {
	list := listDecoder{elem: c.decoder(t.Elem()), records: c.isRecord(t.Elem())}
	list.texts = t.Elem().Kind() == reflect.String && !reflect.PointerTo(t.Elem()).Implements(unmarshaler)
	empty := reflect.MakeSlice(t, 0, 0)
	return func(d *decoding, v reflect.Value, i int) (end int, fits bool) {
		isArray := d.data[i] == '['
		switch {
		case d.isNull(i):
			return skip(d.data, i), !list.records
		case isArray || d.data[i] == '{' && hasNumericKeys(d.data[i:], !list.records):
			v.Set(empty) // not nil, unlike an absent list
			start := i
			for i = skipSpace(d.data, i+1); d.data[i] != ']' && d.data[i] != '}'; i = d.afterComma(end) {
				if !isArray {
					i = d.afterColon(SkipString(d.data, i))
				}
				if end = list.add(d, v, start, i); d.err != nil {
					return end, false
				}
			}
			return i + 1, true
		case list.records:
			return skip(d.data, i), false
		}
		v.Set(reflect.MakeSlice(t, 1, 1))
		end, fits = list.elem(d, v.Index(0), i)
		// An object in which no member is known does not count as an element.
		if fits = fits && (d.data[i] != '{' || !v.Index(0).IsZero()); !fits {
			v.SetZero()
		}
		return end, fits
	}
}

// hasNumericKeys reports whether all keys are numeric, as in a list from PHP. For {}, it returns
// the argument empty.
func hasNumericKeys(object []byte, empty bool) bool {
	end := skip(object, 0)
	for m := Members(object[:end]); m.Next(); {
		if name := m.Name; len(name) == 2 || strings.Trim(string(name[1:len(name)-1]), "0123456789") != "" {
			return false
		}
		empty = true
	}
	return empty
}

// listDecoder decodes the elements of a list.
type listDecoder struct {
	elem decodeFunc
	// If records is set, an element that does not fit fails the decoding.
	records bool
	// If texts is set, a non-string element is stored as its JSON text.
	texts bool
}

// add appends the element that begins at i. The list begins at start.
func (l *listDecoder) add(d *decoding, list reflect.Value, start, i int) (end int) {
	n := list.Len()
	if n == list.Cap() {
		// Estimate the number of elements from the sizes so far. Without a bound, the estimate
		// would be too high if the first elements are much smaller than the others. Records occur only
		// at the top level, so their bound can be higher.
		few, more := 1, 7*n
		if d.data[i] != '{' {
			few = 4
		}
		if l.records {
			more = 255 * n
		}
		list.Grow(max(few, min(more, (len(d.data)-i)*n/max(i-start, 1)+1)))
	}
	list.SetLen(n + 1)
	to, parent := list.Index(n), len(d.path)
	if d.extra != nil {
		d.path = append(strconv.AppendInt(append(d.path, '['), int64(n), 10), ']')
	}
	end, fits := l.elem(d, to, i)
	switch {
	case fits && l.texts && d.isNull(i):
		list.SetLen(n)
	case fits:
	case l.texts:
		to.SetString(d.text(d.data[i:end]))
	case l.records, d.strict > 0:
		d.refuse()
	default:
		d.keep(i, end)
	}
	d.path = d.path[:parent]
	return end
}

// afterComma returns the index of the next element or member, or of the closing bracket.
func (d *decoding) afterComma(i int) int {
	if i = skipSpace(d.data, i); d.data[i] == ',' {
		i = skipSpace(d.data, i+1)
	}
	return i
}

// afterColon returns the index of the value of the member whose name ends at i.
func (d *decoding) afterColon(i int) int {
	return skipSpace(d.data, skipSpace(d.data, i)+1)
}

// refuse makes the decoding fail.
func (d *decoding) refuse() {
	if d.err == nil {
		d.err = errMisfit
	}
}

// keep collects the value from i to end, which no field holds. After an error, end is
// meaningless and nothing is kept.
func (d *decoding) keep(i, end int) {
	d.lost++
	if d.extra != nil && d.err == nil {
		d.extra[strings.TrimPrefix(string(d.path), ".")] = d.data[i:end:end]
	}
}

// structPlan maps the members of an object to fields.
type structPlan struct {
	fields  [][]*fieldPlan // indexed by the length of the name
	present uint64         // the bits of the fields that must be present
	strict  []string       // the names of strict fields
	after   func(v any, raw json.RawMessage, held bool) error
}

type fieldPlan struct {
	name             string
	index            []int
	decode           decodeFunc
	bit              uint64 // identifies the field
	required, strict bool
	// alias is set for a second name of a field. Its value is used if the field is otherwise empty.
	alias bool
}

func (c *Codec) structDecoder(t reflect.Type) decodeFunc {
	plan := &structPlan{}
	if c.isRecord(t) {
		plan.after = c.after
	}
	bit := uint64(1)
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || name == "" || name == "-" {
			continue
		}
		if bit == 0 {
			panic("more than 64 fields in " + t.String())
		}
		field := &fieldPlan{name: name, index: f.Index, decode: c.decoder(f.Type), bit: bit}
		bit <<= 1
		plan.add(field)
		for option := range strings.SplitSeq(f.Tag.Get("wire"), ",") {
			switch option, alias, _ := strings.Cut(option, "="); option {
			case "required", "present":
				field.required = option == "required"
				plan.present |= field.bit
			case "strict":
				field.strict = true
				plan.strict = append(plan.strict, name)
			case "alias": // must be the last option, because it copies the options before it
				other := *field
				other.name, other.alias = alias, true
				plan.add(&other)
			}
		}
	}
	return plan.decode
}

func (p *structPlan) add(f *fieldPlan) {
	for len(p.fields) <= len(f.name) {
		p.fields = append(p.fields, nil)
	}
	p.fields[len(f.name)] = append(p.fields[len(f.name)], f)
}

// unknown is the plan for a member without a field.
var unknown = &fieldPlan{}

// named returns the plan for a quoted name.
func (p *structPlan) named(quoted []byte) *fieldPlan {
	name := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(name, '\\') >= 0 {
		name = []byte(Unquote(quoted))
	}
	if len(name) < len(p.fields) {
		for _, f := range p.fields[len(name)] {
			if f.name == string(name) {
				return f
			}
		}
	}
	return unknown
}

func (p *structPlan) decode(d *decoding, v reflect.Value, i int) (end int, fits bool) {
	start, lost := i, d.lost
	switch {
	case d.data[i] == '{':
	case d.data[i] == '[' && d.data[skipSpace(d.data, i+1)] == ']', d.isNull(i) && p.after == nil:
		end = skip(d.data, i)
		return end, p.present == 0 && p.finish(d, v, d.data[i:end:end], true)
	default:
		return skip(d.data, i), false
	}
	var aliases [4]aliasValue
	pending, found := aliases[:0], uint64(0)
	for i = skipSpace(d.data, i+1); d.data[i] != '}'; i = d.afterComma(i) {
		quoted := d.data[i:SkipString(d.data, i)]
		i = d.afterColon(i + len(quoted))
		field := p.named(quoted)
		if field.alias {
			pending = append(pending, aliasValue{field, quoted, i})
			i = skip(d.data, i)
			continue
		}
		if found&field.bit != 0 { // a duplicate
			d.lost++ // the value of the earlier member
			if field.strict {
				d.refuse()
			}
			v.FieldByIndex(field.index).SetZero()
		}
		found |= field.bit
		if i = p.member(d, v, field, quoted, i); d.err != nil {
			return i, false
		}
	}
	for _, alias := range slices.Backward(pending) { // backward, because the last alias wins
		field := alias.field
		if to := v.FieldByIndex(field.index); !to.IsZero() && !(to.Kind() == reflect.Slice && to.Len() == 0) {
			field = unknown
		}
		found |= field.bit
		p.member(d, v, field, alias.quoted, alias.at)
	}
	if found&p.present != p.present {
		d.refuse()
	}
	if d.err != nil {
		return i, false
	}
	return i + 1, p.finish(d, v, d.data[start:i+1:i+1], d.lost == lost)
}

// finish calls p.after, if there is such a function.
func (p *structPlan) finish(d *decoding, v reflect.Value, raw []byte, held bool) bool {
	if p.after != nil && d.extra == nil {
		if len(raw) == len(Trim(d.data)) {
			raw = slices.Clip(d.data) // the whole response: a signature covers the white space around it
		}
		d.err = p.after(v.Addr().Interface(), raw, held)
	}
	return d.err == nil
}

// aliasValue is the value of a member whose name is an alias.
type aliasValue struct {
	field  *fieldPlan
	quoted []byte
	at     int
}

func (p *structPlan) member(d *decoding, v reflect.Value, field *fieldPlan, quoted []byte, i int) (end int) {
	parent := len(d.path)
	if d.extra != nil {
		d.path = append(append(d.path, '.'), Unquote(quoted)...)
	}
	fits := false
	if field == unknown {
		end = skip(d.data, i)
		if slices.ContainsFunc(p.strict, func(name string) bool { return strings.EqualFold(name, Unquote(quoted)) }) {
			d.refuse()
		}
	} else {
		to := v.FieldByIndex(field.index)
		if field.strict {
			d.strict++
		}
		if end, fits = field.decode(d, to, i); !fits {
			to.SetZero()
		}
		isEmpty := field.required && (!fits || d.isNull(i) || to.Kind() == reflect.String && to.Len() == 0)
		if isEmpty || field.strict && !fits {
			d.refuse()
		}
		if field.strict {
			d.strict--
		}
	}
	if !fits {
		d.keep(i, end)
	}
	d.path = d.path[:parent]
	return end
}
