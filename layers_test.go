package identomat_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// layer is a package, and the packages of this module that it may import.
type layer struct {
	path    string
	imports []string
}

const module = "github.com/identomat-go/identomat"

// layers lists, for each package of the SDK, the packages of this module that it may import. A package
// may import only packages that come before it in the list.
var layers = []layer{
	{"internal/redact", nil},
	{"internal/operation", nil},
	{"internal/documented", []string{"internal/operation"}},
	{"internal/sniff", nil},
	{"internal/wire", nil},
	{"internal/form", nil},
	{"internal/fake", nil},
	{"internal/trace", nil},
	{"internal/signature", []string{"internal/redact", "internal/trace"}},
	{"internal/response", []string{"internal/operation", "internal/sniff", "internal/wire"}},
	{"internal/datauri", []string{"internal/response"}},
	{"internal/engine", []string{"internal/form", "internal/redact", "internal/trace"}},
	{"internal/option", []string{"internal/engine", "internal/redact"}},
	{"internal/callback", []string{"internal/option", "internal/redact", "internal/sniff", "internal/wire"}},
	{"", []string{
		"internal/callback", "internal/datauri", "internal/engine", "internal/form", "internal/operation", "internal/option", "internal/redact",
		"internal/response", "internal/signature", "internal/sniff", "internal/trace", "internal/wire",
	}},
	{"widget", []string{"", "internal/option", "internal/redact"}},
	{"evidence", []string{"", "internal/operation", "internal/sniff", "internal/trace"}},
	{"idenfy", []string{
		"", "internal/callback", "internal/engine", "internal/option", "internal/redact", "internal/response", "internal/sniff", "internal/wire",
	}},
	{"identomattest", []string{"", "internal/documented", "internal/fake", "internal/operation"}},
	{"idenfy/idenfytest", []string{"", "idenfy", "internal/fake"}},
}

func TestImportsRunDownward(t *testing.T) {
	output, err := exec.Command("go", "list", "-f", "{{.ImportPath}}: {{join .Imports \" \"}}", "./...").Output()
	require.NoError(t, err)
	listed := 0
	for line := range strings.Lines(string(output)) {
		path, imports, _ := strings.Cut(strings.TrimSpace(line), ":")
		path = relative(path)
		row := layerOf(path)
		if row < 0 {
			assert.Regexp(t, `^(cmd|examples)/`, path, "the package is in no layer")
			continue
		}
		listed++
		for _, imported := range strings.Fields(imports) {
			if !strings.HasPrefix(imported, module) {
				continue
			}
			imported = relative(imported)
			assert.Contains(t, layers[row].imports, imported, "%q imports %q", path, imported)
			assert.Less(t, layerOf(imported), row, "%q imports upward", path)
		}
	}
	assert.Equal(t, len(layers), listed, "a layer has no package")
}

// relative returns a package path without the module path. It returns "" for the root package.
func relative(path string) string { return strings.TrimPrefix(strings.TrimPrefix(path, module), "/") }

// layerOf returns a package's index in layers, or -1.
func layerOf(path string) int {
	return slices.IndexFunc(layers, func(l layer) bool { return l.path == path })
}
