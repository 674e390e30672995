package identomattest

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestMarkupEscapesValues(t *testing.T) {
	var m markup
	m.add(`<a title="{}">{}</a>`, `"><script>`, "{} & 'x'")
	assert.Equal(t, `<a title="&#34;&gt;&lt;script&gt;">{} &amp; &#39;x&#39;</a>`, m.String())
}

func TestMarkupChecksTheNumberOfValues(t *testing.T) {
	var m markup
	assert.Panics(t, func() { m.add("<b>{}</b>") })
	assert.Panics(t, func() { m.add("<b>{}</b>", 1, 2) })
}
