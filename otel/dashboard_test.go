package identomatotel_test

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(text)
}

func TestDashboard(t *testing.T) {
	var dashboard struct {
		Templating struct {
			List []struct {
				Name  string `json:"name"`
				Query any    `json:"query"`
			} `json:"list"`
		} `json:"templating"`
		Panels []struct {
			ID          int    `json:"id"`
			Title       string `json:"title"`
			Type        string `json:"type"`
			Description string `json:"description"`
			FieldConfig struct {
				Defaults struct {
					Unit string `json:"unit"`
				} `json:"defaults"`
			} `json:"fieldConfig"`
		} `json:"panels"`
	}
	require.NoError(t, json.Unmarshal([]byte(read(t, "grafana/identomat.json")), &dashboard))
	ids, titles := map[int]bool{}, map[string]bool{}
	for _, panel := range dashboard.Panels {
		assert.False(t, ids[panel.ID], "two panels have the ID %d", panel.ID)
		ids[panel.ID], titles[panel.Title] = true, true
		if panel.Type != "row" {
			assert.NotEmpty(t, panel.Description, panel.Title)
			assert.NotEmpty(t, panel.FieldConfig.Defaults.Unit, panel.Title)
		}
	}

	rules := read(t, "prometheus/rules.yml")
	for _, panel := range regexp.MustCompile(`panel\s+"([^"]+)"`).FindAllStringSubmatch(rules, -1) {
		assert.True(t, titles[panel[1]], "the dashboard has no panel %q", panel[1])
	}

	// The dashboard and the rules leave out the same failures.
	var expected any
	for _, variable := range dashboard.Templating.List {
		if variable.Name == "expected" {
			expected = variable.Query
		}
	}
	assert.Equal(t, 2, strings.Count(rules, fmt.Sprintf("error_type!~%q", expected)))
	assert.Equal(t, 2, strings.Count(rules, "error_type!~"))
}

func TestDocumentationNamesEveryAlert(t *testing.T) {
	documentation := read(t, "doc.go")
	alert := regexp.MustCompile(`(?s)- alert: (\w+)\n.*?severity: (\w+)`)
	alerts := alert.FindAllStringSubmatch(read(t, "prometheus/rules.yml"), -1)
	require.NotEmpty(t, alerts)
	for _, a := range alerts {
		assert.Contains(t, documentation, fmt.Sprintf("//   - %s (%s): ", a[1], a[2]))
	}
	assert.Equal(t, len(alerts), strings.Count(documentation, "//   - Identomat"))
}
