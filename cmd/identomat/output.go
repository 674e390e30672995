package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

const redacted = "[redacted]"

// format returns the format of the data.
func (a *app) format() string {
	switch {
	case a.json:
		return "json"
	case a.output != "":
		return a.output
	case a.outTerminal:
		return "table"
	}
	return "jsonl"
}

var formats = []string{"table", "json", "jsonl", "csv"}

// checkFlags checks the flags that every command has.
func (a *app) checkFlags(cmd *cobra.Command) error {
	if a.output != "" && !slices.Contains(formats, a.output) {
		return usageError{cmd, fmt.Errorf("--output %q is not one of %s", a.output, strings.Join(formats, ", "))}
	}
	if a.keyFile != "" && a.keyring {
		return usageError{cmd, errors.New("choose --key-file or --keyring")}
	}
	return nil
}

// checkName checks the --output of a command that writes to it. Elsewhere, --output is a format.
func (a *app) checkName(cmd *cobra.Command, name string) error {
	switch {
	case name == "":
		return usageError{cmd, errors.New("missing --output")}
	case slices.Contains(formats, name):
		return usageError{cmd, fmt.Errorf("--output %s: this command's --output is a name, not a format; use --json, or ./%s", name, name)}
	}
	return nil
}

// column is a column of a table: its heading, and the path of its value in a record.
type column struct{ heading, path string }

// columns parses headings and paths, such as "Outcome=result Reason=reject_reason.value". An underscore in a
// heading stands for a space.
func columns(spec string) (cols []column) {
	for _, field := range strings.Fields(spec) {
		heading, path, _ := strings.Cut(field, "=")
		cols = append(cols, column{strings.ReplaceAll(heading, "_", " "), path})
	}
	return cols
}

// printer writes records in the chosen format.
type printer struct {
	*app
	cols []column
	// open says that more tables follow this one, and continued that the headings are above it.
	open, continued bool
	single          bool // one record, which a table shows as lines of names and values
	safe            map[string]bool
	hidden          bool              // something was masked
	shown           bool              // a cell shows that
	all             []json.RawMessage // what table and json hold back until close
	csv             *csv.Writer
}

// list returns a printer of any number of records.
func (a *app) list(cols string) *printer { return &printer{app: a, cols: columns(cols)} }

// one returns a printer of one record, which a table shows as lines of names and values.
func (a *app) one(cols string) *printer { return &printer{app: a, cols: columns(cols), single: true} }

// show prints one record. If safe is not nil, only the values at these paths are shown without --reveal.
func (a *app) show(record any, cols string, safe map[string]bool) error {
	p := a.one(cols).masked(safe)
	if err := p.add(record); err != nil {
		return err
	}
	return p.close()
}

// masked makes p mask every text and number, except at these paths, unless --reveal is given.
func (p *printer) masked(safe map[string]bool) *printer {
	p.safe = safe
	return p
}

// paths is a set of paths in a record.
func paths(list string) map[string]bool {
	set := map[string]bool{}
	for _, path := range strings.Fields(list) {
		set[path] = true
	}
	return set
}

// columnPaths is the set of paths in a table's columns.
func columnPaths(spec string) map[string]bool {
	set := map[string]bool{}
	for _, c := range columns(spec) {
		set[c.path] = true
	}
	return set
}

// add prints a record, which is anything that has a JSON encoding.
func (p *printer) add(record any) error {
	raw, err := encode(record)
	if err != nil {
		return err
	}
	if p.safe != nil && !p.reveal {
		if raw, err = p.mask(raw); err != nil {
			return err
		}
	}
	switch p.format() {
	case "jsonl":
		_, err := fmt.Fprintf(p.out, "%s\n", printableJSON(raw))
		return err
	case "csv":
		return p.addCSV(raw)
	}
	p.all = append(p.all, raw)
	return nil
}

// close prints what add has held back.
func (p *printer) close() error {
	var err error
	switch p.format() {
	case "json":
		err = p.writeJSON()
	case "table":
		err = p.writeTable()
	case "csv":
		if p.csv == nil { // no records: the headings alone
			err = p.startCSV()
		}
		if err == nil {
			p.csv.Flush()
			err = p.csv.Error()
		}
	}
	if format := p.format(); p.hidden && (p.shown || format != "table" && format != "csv") {
		p.note("Personal data is masked. Add --reveal to see it.")
	}
	return err
}

// partialError is an error after some records. With --output json, they become part of the error, so that
// standard output is one JSON value.
type partialError struct {
	error
	records []json.RawMessage
}

func (e partialError) Unwrap() error { return e.error }

// fail prints the records before an error, and returns the error.
func (p *printer) fail(err error) error {
	if p.format() == "json" {
		return partialError{err, p.all}
	}
	if len(p.all) == 0 && p.format() == "table" {
		return err
	}
	return errors.Join(p.close(), err)
}

func (p *printer) writeJSON() error {
	var value any = append([]json.RawMessage{}, p.all...)
	if p.single {
		value = p.all[0]
	}
	raw, err := encode(value)
	if err != nil {
		return err
	}
	return writeIndented(p.out, raw)
}

// encode returns JSON in which <, > and & stand for themselves.
func encode(value any) (json.RawMessage, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	err := enc.Encode(value)
	return bytes.TrimSpace(buf.Bytes()), err
}

func writeIndented(w io.Writer, raw []byte) error {
	var buf bytes.Buffer
	if err := json.Indent(&buf, raw, "", "  "); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%s\n", printableJSON(buf.Bytes()))
	return err
}

func (p *printer) startCSV() error {
	p.csv = csv.NewWriter(p.out)
	if p.continued {
		return nil
	}
	var row []string
	for _, c := range p.cols {
		row = append(row, c.path)
	}
	return p.csv.Write(row)
}

func (p *printer) addCSV(raw json.RawMessage) error {
	if p.csv == nil {
		if err := p.startCSV(); err != nil {
			return err
		}
	}
	row := p.cells(raw)
	for i := range row {
		row[i] = csvCell(row[i])
	}
	return p.csv.Write(row)
}

// csvCell returns a cell that does not control a terminal and that a spreadsheet does not run as a formula.
func csvCell(cell string) string {
	cell = printable(cell)
	if _, err := strconv.ParseFloat(cell, 64); err != nil && len(cell) > 1 && strings.IndexAny(cell, "=+-@") == 0 {
		return "'" + cell
	}
	return cell
}

// cells returns a record's values, one for each column.
func (p *printer) cells(raw json.RawMessage) (row []string) {
	var record any
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	_ = dec.Decode(&record) // add has encoded it
	for _, c := range p.cols {
		row = append(row, text(at(record, strings.Split(c.path, "."))))
	}
	p.shown = p.shown || slices.ContainsFunc(row, func(cell string) bool { return strings.Contains(cell, redacted) })
	return row
}

// at returns the value at a path. In a list, it returns a list of the elements' values.
func at(value any, path []string) any {
	if len(path) == 0 {
		return value
	}
	switch v := value.(type) {
	case map[string]any:
		return at(v[path[0]], path[1:])
	case []any:
		var out []any
		for _, element := range v {
			if found := at(element, path); found != nil {
				out = append(out, found)
			}
		}
		return out
	}
	return nil
}

// text returns a value as a cell of a table.
func text(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool:
		if v {
			return "yes"
		}
		return "no"
	case json.Number:
		return v.String()
	case []any:
		var parts []string
		for _, element := range v {
			if part := text(element); part != "" && !slices.Contains(parts, part) {
				parts = append(parts, part)
			}
		}
		return strings.Join(parts, ", ")
	}
	raw, _ := json.Marshal(value) // a decoded value
	return string(raw)
}

// writeTable prints a table, or lines of names and values if there is only one record or the terminal is
// too narrow.
func (p *printer) writeTable() error {
	if len(p.all) == 0 {
		p.note("Nothing found.")
		return nil
	}
	var rows [][]string
	widths := make([]int, len(p.cols))
	for _, raw := range p.all {
		row := p.cells(raw)
		for i := range row {
			row[i] = printable(row[i])
			if row[i] != "" || p.open { // a column without any value is left out
				widths[i] = max(widths[i], utf8.RuneCountInString(row[i]), utf8.RuneCountInString(p.cols[i].heading))
			}
		}
		rows = append(rows, row)
	}
	total := -2
	for _, width := range widths {
		total += gap(width)
	}
	var b strings.Builder
	last := len(widths) - 1
	if p.outTerminal && total > p.width() { // give the last column what is left
		widths[last] -= total - p.width()
	}
	if p.single || widths[last] < widest(rows, last) && widths[last] < max(minLast, longestWord(rows, last)) {
		p.writeLines(&b, rows)
	} else {
		var headings []string
		for _, c := range p.cols {
			headings = append(headings, c.heading)
		}
		if !p.continued {
			p.writeRow(&b, widths, headings, true)
		}
		for _, row := range rows {
			for _, line := range broken(row, widths[last]) {
				p.writeRow(&b, widths, line, false)
			}
		}
	}
	_, err := p.out.Write([]byte(b.String()))
	return err
}

func (p *printer) writeRow(b *strings.Builder, widths []int, row []string, isHeading bool) {
	pad := ""
	for i, cell := range row {
		if cell == "" || widths[i] == 0 { // no spaces at the end of a line
			pad += strings.Repeat(" ", gap(widths[i]))
			continue
		}
		b.WriteString(pad)
		pad = strings.Repeat(" ", gap(widths[i])-utf8.RuneCountInString(cell))
		if isHeading {
			cell = p.style("1", cell)
		}
		b.WriteString(p.styled(cell))
	}
	b.WriteString("\n")
}

// minLast is the least width of a last column whose texts are broken into lines.
const minLast = 20

func widest(rows [][]string, column int) (width int) {
	for _, row := range rows {
		width = max(width, utf8.RuneCountInString(row[column]))
	}
	return width
}

func longestWord(rows [][]string, column int) (width int) {
	for _, row := range rows {
		for word := range strings.FieldsSeq(row[column]) {
			width = max(width, utf8.RuneCountInString(word))
		}
	}
	return width
}

// broken returns a row as rows whose last cell is no wider than width, unless a word is.
func broken(row []string, width int) (rows [][]string) {
	last := len(row) - 1
	for i, line := range strings.Split(wrap(row[last], width), "\n") {
		next := make([]string, len(row))
		if i == 0 {
			copy(next, row)
		}
		next[last] = line
		rows = append(rows, next)
	}
	return rows
}

// wrap breaks a text into lines.
func wrap(text string, width int) string {
	var b strings.Builder
	column := 0
	for i, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case i > 0 && column+1+n > width:
			b.WriteByte('\n')
			column = 0
		case i > 0:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += n
	}
	return b.String()
}

// gap returns the distance to the next column.
func gap(width int) int {
	if width == 0 {
		return 0
	}
	return width + 2
}

// writeLines writes each record as lines of names and values, without empty values.
func (p *printer) writeLines(b *strings.Builder, rows [][]string) {
	width := 0
	for _, c := range p.cols {
		width = max(width, utf8.RuneCountInString(c.heading))
	}
	for i, row := range rows {
		if i > 0 {
			b.WriteString("\n")
		}
		for j, cell := range row {
			if cell == "" {
				continue
			}
			if p.outTerminal { // long texts continue below their beginning
				cell = strings.ReplaceAll(wrap(cell, p.width()-width-2), "\n", "\n"+strings.Repeat(" ", width+2))
			}
			heading := p.cols[j].heading
			b.WriteString(p.style("1", heading) + strings.Repeat(" ", width-utf8.RuneCountInString(heading)+2) + p.styled(cell) + "\n")
		}
	}
}

// colors are the colors of words that say how something ended.
var colors = map[string]string{
	"approved": "32", "ok": "32", "collected": "32",
	"rejected": "31", "failed": "31",
	"manual_check": "33", "in_progress": "33", "not checked": "33", "absent": "33",
	redacted: "2",
}

func (p *printer) styled(cell string) string {
	if code := colors[cell]; code != "" {
		return p.style(code, cell)
	}
	return cell
}

// style makes text bold or colored on a terminal. See https://no-color.org about NO_COLOR.
func (a *app) style(code, text string) string {
	if !a.outTerminal || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// printable replaces what could change the state of a terminal or hide text.
func printable(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\n' || r == '\t':
			b.WriteByte(' ')
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// printableJSON escapes what encoding/json does not, but could change the state of a terminal. Such
// characters can only be inside strings.
func printableJSON(raw []byte) []byte {
	var out []byte
	for _, r := range string(raw) {
		if r == '\n' || unicode.IsPrint(r) || r > 0xffff {
			out = utf8.AppendRune(out, r)
		} else {
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	return out
}

// mask returns a JSON value without the texts and numbers that could identify a person.
func (p *printer) mask(raw []byte) (json.RawMessage, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var out []byte
	err := p.maskValue(dec, &out, "")
	return out, err
}

func (p *printer) maskValue(dec *json.Decoder, out *[]byte, path string) error {
	tok, err := dec.Token()
	if err != nil {
		return err
	}
	switch v := tok.(type) {
	case json.Delim:
		*out = append(*out, byte(v))
		for first := true; dec.More(); first = false {
			if !first {
				*out = append(*out, ',')
			}
			inner := path
			if v == '{' {
				name, err := dec.Token()
				if err != nil {
					return err
				}
				inner = strings.TrimPrefix(path+"."+name.(string), ".")
				*out = append(appendJSON(*out, name), ':')
			}
			if err := p.maskValue(dec, out, inner); err != nil {
				return err
			}
		}
		end, err := dec.Token()
		if err != nil {
			return err
		}
		*out = append(*out, byte(end.(json.Delim)))
	case string:
		if v != "" && v != redacted && !p.safe[path] {
			v, p.hidden = redacted, true
		}
		*out = appendJSON(*out, v)
	case json.Number:
		if p.safe[path] {
			*out = append(*out, v...)
			break
		}
		p.hidden = true
		*out = appendJSON(*out, redacted)
	default: // true, false or null
		*out = appendJSON(*out, v)
	}
	return nil
}

func appendJSON(dst []byte, v any) []byte {
	raw, _ := encode(v) // a string, a boolean or nil
	return append(dst, raw...)
}

// bar returns a function that draws a progress bar on the terminal, and one that removes the bar. Without a
// terminal, they do nothing.
func (a *app) bar() (draw func(label string, done, total int64, unit func(int64) string), clear func()) {
	if !a.errTerminal || a.quiet {
		return func(string, int64, int64, func(int64) string) {}, func() {}
	}
	width := 0
	write := func(line string) {
		line = truncate(line, a.width()-1)
		fmt.Fprint(a.err, "\r"+line+strings.Repeat(" ", max(0, width-utf8.RuneCountInString(line))))
		width = utf8.RuneCountInString(line)
	}
	draw = func(label string, done, total int64, unit func(int64) string) {
		if total <= 0 {
			write(label + "  " + unit(done))
			return
		}
		const cells = 20
		full := int(min(done, total) * cells / total)
		write(fmt.Sprintf("%s  %s%s  %s of %s", label, strings.Repeat("█", full), strings.Repeat("░", cells-full), unit(done), unit(total)))
	}
	return draw, func() {
		if width > 0 {
			write("")
			fmt.Fprint(a.err, "\r")
		}
		width = 0
	}
}

func truncate(line string, width int) string {
	if runes := []rune(line); len(runes) > width && width > 0 {
		return string(runes[:width-1]) + "…"
	}
	return line
}

// bytesOf returns a size for people.
func bytesOf(n int64) string {
	switch {
	case n < 1000:
		return strconv.FormatInt(n, 10) + " B"
	case n < 1000*1000:
		return strconv.FormatFloat(float64(n)/1000, 'f', 1, 64) + " kB"
	case n < 1000*1000*1000:
		return strconv.FormatFloat(float64(n)/1e6, 'f', 1, 64) + " MB"
	}
	return strconv.FormatFloat(float64(n)/1e9, 'f', 1, 64) + " GB"
}

func count(n int64) string { return strconv.FormatInt(n, 10) }

// writeFile writes a file that appears under its name only when it is complete. Only its owner can read it.
func writeFile(name string, write func(*os.File) error) (err error) {
	file, err := os.CreateTemp(filepath.Dir(name), ".identomat-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = file.Close()
			_ = os.Remove(file.Name())
		}
	}()
	if err := write(file); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	return os.Rename(file.Name(), name)
}
