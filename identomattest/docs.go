package identomattest

import (
	"bytes"
	"crypto/rand"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/identomat-go/identomat/internal/operation"
)

// openAPI describes Identomat's API. Command tools/openapi writes it.
//
//go:embed openapi.json
var openAPI []byte

// OpenAPI returns the OpenAPI description of Identomat's API, as JSON.
func OpenAPI() []byte { return bytes.Clone(openAPI) }

const (
	docsPath    = controlPath + "docs"
	openAPIPath = controlPath + "openapi.json"
)

// localDescription returns the description with the addresses of the fake instead of Identomat's.
func (s *Server) localDescription(r *http.Request) []byte {
	out := openAPI
	for host, address := range s.replacements(r) {
		out = bytes.ReplaceAll(out, []byte(`"`+host+`"`), encodePlain(address))
	}
	return out
}

// replacements maps the address of each host of Identomat to the one of the fake.
func (s *Server) replacements(r *http.Request) map[string]string {
	return map[string]string{
		"https://widget.identomat.com":       s.baseURL(operation.Widget, operation.Widget, r),
		"https://external-api.identomat.com": s.baseURL(operation.API, operation.Widget, r),
	}
}

func encodePlain(text string) []byte { return []byte(jsonText(text)) }

func (s *Server) serveOpenAPI(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(s.localDescription(r))
}

// docsPage is the reader of the description: a list of the operations, or one operation.
type docsPage struct {
	Nonce string
	Title string
	Intro []docsParagraph
	Tags  []docsTag
	// Operation is nil on the list.
	Operation *docsOperation
	Schemas   []docsSchema
}

type docsParagraph struct{ Lead, Text string }

type docsTag struct {
	Name       string
	Operations []docsOperation
}

type docsOperation struct {
	ID, Method, Path, URL, Summary, Description, Source string
	Retryable, Billable                                 bool
	Encodings                                           []string
	Request                                             []docsField
	Responses                                           []docsResponse
}

type docsResponse struct {
	Status, Description string
	Contents            []docsContent
}

type docsContent struct {
	Type     string
	Schema   []docsText
	Examples []docsExample
}

type docsExample struct{ Name, JSON string }

type docsSchema struct {
	Name, Description string
	Type              []docsText
	Fields            []docsField
}

type docsField struct {
	Name, Default, Description string
	Type                       []docsText
	Required                   bool
	Values                     []string
}

// docsText is a piece of text, and a link if it names a schema.
type docsText struct{ Text, Schema string }

var description = sync.OnceValue(func() object { return mustObject(string(openAPI)) })

// showDocs shows a page of the reader. Like the start page, it can be linked from anywhere.
func (s *Server) showDocs(w http.ResponseWriter, r *http.Request) {
	id := strings.Trim(strings.TrimPrefix(r.URL.Path, docsPath), "/")
	p := &docsPage{Title: "API reference"}
	d := docsReader{replacements: s.replacements(r)}
	if id == "" {
		d.list(p)
	} else if !d.operation(p, id) {
		http.Error(w, "no such operation; "+docsPath+" lists them", http.StatusNotFound)
		return
	}
	p.Nonce = rand.Text()
	w.Header().Set("Cross-Origin-Resource-Policy", "same-origin")
	writePage(w, http.StatusOK, p, "en", toolPolicy(p.Nonce))
}

// docsReader turns the description into pages.
type docsReader struct {
	replacements map[string]string
	// names are the schemas to show, in the order in which they are mentioned.
	names []string
}

// each calls f with every operation, except the deprecated ones with GET.
func (d *docsReader) each(f func(docsOperation, object)) {
	for _, path := range description().child("paths") {
		item, _ := path.value.(object)
		for _, m := range item {
			op, isObject := m.value.(object)
			if !isObject || op.flag("deprecated") || op.text("operationId") == "" {
				continue
			}
			base := ""
			for _, servers := range [][]any{item.list("servers"), op.list("servers")} {
				if len(servers) > 0 {
					server, _ := servers[0].(object)
					base = d.replacements[server.text("url")]
				}
			}
			f(docsOperation{
				ID: op.text("operationId"), Method: strings.ToUpper(m.name), Path: path.name, URL: base + path.name,
				Summary: op.text("summary"), Description: op.text("description"), Source: op.text("x-source"),
				Retryable: op.flag("x-retryable"), Billable: op.flag("x-billable"),
			}, op)
		}
	}
}

func (d *docsReader) list(p *docsPage) {
	for paragraph := range strings.SplitSeq(description().child("info").text("description"), "\n\n") {
		lead, text := "", paragraph
		if rest, ok := strings.CutPrefix(paragraph, "**"); ok {
			lead, text, _ = strings.Cut(rest, "**")
		}
		p.Intro = append(p.Intro, docsParagraph{lead, strings.TrimSpace(text)})
	}
	d.each(func(out docsOperation, op object) {
		tag := "Operations"
		if tags := op.texts("tags"); len(tags) > 0 {
			tag = tags[0]
		}
		i := slices.IndexFunc(p.Tags, func(t docsTag) bool { return t.Name == tag })
		if i < 0 {
			i = len(p.Tags)
			p.Tags = append(p.Tags, docsTag{Name: tag})
		}
		p.Tags[i].Operations = append(p.Tags[i].Operations, out)
	})
}

// operation fills the page of an operation, and reports whether it exists.
func (d *docsReader) operation(p *docsPage, id string) bool {
	d.each(func(out docsOperation, op object) {
		if out.ID != id {
			return
		}
		for _, m := range op.child("requestBody").child("content") {
			out.Encodings = append(out.Encodings, m.name)
			if content, ok := m.value.(object); ok && out.Request == nil {
				_, schema := d.resolve(content.child("schema"))
				out.Request = d.fields("", schema)
			}
		}
		for _, m := range op.child("responses") {
			response, _ := m.value.(object)
			view := docsResponse{Status: m.name, Description: response.text("description")}
			for _, c := range response.child("content") {
				content, _ := c.value.(object)
				view.Contents = append(view.Contents, docsContent{c.name, d.typeOf(content.child("schema")), examples(content)})
			}
			out.Responses = append(out.Responses, view)
		}
		p.Title, p.Operation = out.Summary, &out
	})
	if p.Operation == nil {
		return false
	}
	for len(p.Schemas) < len(d.names) { // typeOf and fields add names
		name := d.names[len(p.Schemas)]
		schema := description().child("components").child("schemas").child(name)
		p.Schemas = append(p.Schemas, docsSchema{name, schema.text("description"), d.typeOf(schema), d.fields("", schema)})
	}
	return true
}

func examples(content object) (out []docsExample) {
	for _, m := range content.child("examples") {
		example, _ := m.value.(object)
		value, _ := example.get("value")
		var text bytes.Buffer
		must(json.Indent(&text, appendPlain(nil, value), "", "  "))
		out = append(out, docsExample{m.name, text.String()})
	}
	return out
}

// appendPlain encodes a value without the escapes of the service.
func appendPlain(b []byte, v any) []byte {
	switch v := v.(type) {
	case string:
		return append(b, encodePlain(v)...)
	case []any:
		b = append(b, '[')
		for i, item := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendPlain(b, item)
		}
		return append(b, ']')
	case object:
		b = append(b, '{')
		for i, m := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(append(b, encodePlain(m.name)...), ':')
			b = appendPlain(b, m.value)
		}
		return append(b, '}')
	}
	return appendJSON(b, v)
}

const schemaPrefix = "#/components/schemas/"

// resolve follows a reference to a schema.
func (d *docsReader) resolve(schema object) (name string, resolved object) {
	name, ok := strings.CutPrefix(schema.text("$ref"), schemaPrefix)
	if !ok {
		return "", schema
	}
	return name, description().child("components").child("schemas").child(name)
}

// fields lists the members of an object. The members of a nested object have their path as the name.
func (d *docsReader) fields(path string, schema object) (out []docsField) {
	required := schema.texts("required")
	for _, m := range schema.child("properties") {
		property, _ := m.value.(object)
		out = append(out, docsField{
			Name: path + m.name, Type: d.typeOf(property), Required: slices.Contains(required, m.name), Default: plainMember(property, "default"),
			Description: property.text("description"), Values: append(property.texts("x-extensible-enum"), property.texts("enum")...),
		})
		out = append(out, d.fields(path+m.name+".", property)...)
		out = append(out, d.fields(path+m.name+"[].", property.child("items"))...)
	}
	for _, alternative := range schema.list("oneOf") {
		if o, ok := alternative.(object); ok {
			for _, f := range d.fields(path, o) {
				f.Required = false // not in the other alternatives
				out = append(out, f)
			}
		}
	}
	return out
}

func plainMember(o object, name string) string {
	v, ok := o.get(name)
	if !ok || v == nil {
		return ""
	}
	return string(appendPlain(nil, v))
}

// typeOf describes a schema in words.
func (d *docsReader) typeOf(schema object) []docsText {
	if name, _ := d.resolve(schema); name != "" {
		if !slices.Contains(d.names, name) {
			d.names = append(d.names, name)
		}
		return []docsText{{name, name}}
	}
	for _, keyword := range []string{"oneOf", "anyOf", "allOf"} {
		var out []docsText
		for i, item := range schema.list(keyword) {
			if i > 0 {
				out = append(out, docsText{" or ", ""})
			}
			if o, ok := item.(object); ok {
				out = append(out, d.typeOf(o)...)
			}
		}
		if out != nil {
			return out
		}
	}
	if fixed := plainMember(schema, "const"); fixed != "" {
		return []docsText{{fixed, ""}}
	}
	kinds := schema.texts("type")
	if kind := schema.text("type"); kind != "" {
		kinds = []string{kind}
	}
	text := strings.Join(kinds, " or ")
	switch {
	case slices.Contains(kinds, "array"):
		return append([]docsText{{strings.Replace(text, "array", "list", 1) + " of ", ""}}, d.typeOf(schema.child("items"))...)
	case schema.text("format") == "binary":
		text = "file"
	case schema.text("format") != "":
		text = fmt.Sprintf("%s (%s)", text, schema.text("format"))
	case schema.text("contentMediaType") != "":
		text = schema.text("contentMediaType")
	case slices.Contains(kinds, "object"):
		if values := schema.child("additionalProperties"); len(values) > 0 {
			return append([]docsText{{"object with values of ", ""}}, d.typeOf(values)...)
		}
	case text == "":
		text = "any"
	}
	return []docsText{{text, ""}}
}

func (p *docsPage) write(m *markup) {
	m.head("en", "ltr", p.Title+" – Identomat sandbox", p.Nonce, "widget.css", "start.css", "docs.css")
	m.add(`<p class="fake" role="note"><strong>This is a fake.</strong> <span>Identomat does not publish this description.</span></p>
<div class="board doc">
<header class="top">
  <ul class="links">
    <li><a href="/">Start page</a></li>
`)
	m.when(p.Operation != nil, "    <li><a href=\"/_sandbox/docs\">All operations</a></li>\n")
	m.add(`    <li><a href="/_sandbox/openapi.json">openapi.json</a></li>
  </ul>
  <h1>{}</h1>
</header>
`, p.Title)
	if p.Operation != nil {
		p.Operation.write(m)
	}
	if len(p.Schemas) > 0 {
		m.add("<section class=\"panel\">\n  <h2>Schemas</h2>\n")
		for _, schema := range p.Schemas {
			m.add("<h3 id=\"schema-{}\">{}</h3>\n<p>", schema.Name, schema.Name)
			m.inline(schema.Description)
			if len(schema.Fields) == 0 {
				m.add(` <span class="soft">`)
				m.links(schema.Type)
				m.add("</span>")
			}
			m.add("</p>\n")
			m.fields(schema.Fields)
		}
		m.add("</section>\n")
	}
	if len(p.Intro) > 0 {
		m.add("<section class=\"panel\">\n")
		for _, paragraph := range p.Intro {
			m.add("<p>")
			m.when(paragraph.Lead != "", "<strong>{}</strong> ", paragraph.Lead)
			m.inline(paragraph.Text)
			m.add("</p>\n")
		}
		m.add("</section>\n")
	}
	for _, tag := range p.Tags {
		m.add("<section class=\"panel\">\n  <h2>{}</h2>\n  <ul class=\"rows\">\n", tag.Name)
		for _, op := range tag.Operations {
			m.add(`<li><div class="row"><a href="/_sandbox/docs/{}">{}</a> <code class="soft end">{}</code></div></li>
`, op.ID, op.Summary, op.Path)
		}
		m.add("  </ul>\n</section>\n")
	}
	m.add("</div>\n")
	m.foot(p.Nonce, "")
}

func (op *docsOperation) write(m *markup) {
	m.add("<section class=\"panel\">\n  <p class=\"address\"><strong>{}</strong> <code>{}</code></p>\n", op.Method, op.URL)
	m.when(op.Description != "", "  <p>{}</p>\n", op.Description)
	m.add("  <p>")
	if op.Retryable {
		m.add(`<span class="tag">retryable</span>`)
	} else {
		m.add(`<span class="tag plain">not retryable</span>`)
	}
	m.when(op.Billable, ` <span class="tag bad">may be billed</span>`)
	m.add("</p>\n")
	m.when(op.Source != "", "  <p class=\"soft\">Source: {}.</p>\n", op.Source)
	m.add("</section>\n<section class=\"panel\">\n  <h2>Request</h2>\n  <p class=\"soft\">As ")
	for i, encoding := range op.Encodings {
		m.when(i > 0, " or ")
		m.add("<code>{}</code>", encoding)
	}
	m.add(".</p>\n")
	m.fields(op.Request)
	m.add("</section>\n<section class=\"panel\">\n  <h2>Responses</h2>\n")
	for _, response := range op.Responses {
		heading := "Status " + response.Status
		if response.Status == "default" {
			heading = "Other statuses"
		}
		m.add("<h3>{}</h3>\n<p>{}</p>\n", heading, response.Description)
		for _, content := range response.Contents {
			m.add(`<p><code>{}</code> <span class="soft">`, content.Type)
			m.links(content.Schema)
			m.add("</span></p>\n")
			for _, example := range content.Examples {
				m.add("<details><summary>Example: {}</summary><pre tabindex=\"0\">{}</pre></details>\n", example.Name, example.JSON)
			}
		}
	}
	m.add("</section>\n")
}

func (m *markup) fields(fields []docsField) {
	if len(fields) == 0 {
		return
	}
	m.add("<dl class=\"fields\">\n")
	for _, f := range fields {
		m.add(`<div>
<dt><code>{}</code> <span class="soft">`, f.Name)
		m.links(f.Type)
		m.add("</span>")
		m.when(f.Required, ` <span class="tag">required</span>`)
		m.when(f.Default != "", ` <span class="soft">default <code>{}</code></span>`, f.Default)
		m.add("</dt>\n<dd>")
		m.inline(f.Description)
		if len(f.Values) > 0 {
			m.add(`<span class="known">`)
			for _, value := range f.Values {
				m.add("<code>{}</code> ", value)
			}
			m.add("</span>")
		}
		m.add("</dd>\n</div>\n")
	}
	m.add("</dl>\n")
}

// links writes a type, with links to schemas.
func (m *markup) links(texts []docsText) {
	for _, t := range texts {
		if t.Schema == "" {
			m.add("{}", t.Text)
			continue
		}
		m.add(`<a href="#schema-{}">{}</a>`, t.Schema, t.Text)
	}
}

// inline writes a text in which code is in backticks.
func (m *markup) inline(text string) {
	for i, piece := range strings.Split(text, "`") {
		if i%2 == 0 {
			m.add("{}", piece)
			continue
		}
		m.add("<code>{}</code>", piece)
	}
}
