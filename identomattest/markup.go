package identomattest

import (
	"bytes"
	"embed"
	"fmt"
	"html"
	"strings"
)

// The files of the pages. The pages do not use html/template; docs/decisions.md says why.
//
//go:embed templates/*
var templates embed.FS

// literal is HTML of this package. Constants convert to it, and other strings do not, so a value cannot become HTML
// by mistake.
type literal string

// markup is the HTML of a page.
type markup struct{ bytes.Buffer }

// add writes HTML in which each {} stands for a value. The value is escaped for texts and for attributes in
// double quotes.
func (m *markup) add(text literal, values ...any) {
	pieces := strings.Split(string(text), "{}")
	if len(pieces) != len(values)+1 {
		panic("identomattest: wrong number of values for " + string(text))
	}
	m.WriteString(pieces[0])
	for i, value := range values {
		m.WriteString(html.EscapeString(fmt.Sprint(value)))
		m.WriteString(pieces[i+1])
	}
}

// when writes HTML if the condition holds.
func (m *markup) when(condition bool, text literal, values ...any) {
	if condition {
		m.add(text, values...)
	}
}

// file writes a file of this package, such as a style sheet.
func (m *markup) file(name string) {
	data, err := templates.ReadFile("templates/" + name)
	must(err)
	m.Write(data)
}

// head begins a page. Its styles are files.
func (m *markup) head(lang, dir, title, nonce string, styles ...string) {
	m.add(`<!DOCTYPE html>
<html lang="{}" dir="{}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{}</title>
<style nonce="{}">
`, lang, dir, title, nonce)
	for _, name := range styles {
		m.file(name)
	}
	m.add("</style>\n</head>\n<body>\n")
}

// foot ends a page. Its script is a file, or "" for none.
func (m *markup) foot(nonce, script string) {
	if script != "" {
		m.add("<script nonce=\"{}\">\n", nonce)
		m.file(script)
		m.add("</script>\n")
	}
	m.add("</body>\n</html>\n")
}

func (m *markup) icon(name string) {
	m.add(`<svg class="icon" aria-hidden="true" viewBox="0 0 24 24"><use href="#i-{}"/></svg>`, name)
}

func (m *markup) phrase(p phrase) {
	if p.Lang == "" {
		m.add("{}", p.Text)
		return
	}
	m.add(`<span lang="{}" dir="auto">{}</span>`, p.Lang, p.Text)
}
