package wire

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type event struct {
	Start time.Time `json:"start"`
}

func TestDecodeReadsUnixTimes(t *testing.T) {
	codec := newCodec()
	start := time.Date(2019, 4, 8, 12, 36, 0, 0, time.UTC)
	for value, want := range map[string]time.Time{
		"1554726960": start, `"1554726960"`: start, "1.55472696e9": start, "null": {}, "0": {}, "-1": {}, `"x"`: {}, `"2019-04-08T12:36:00Z"`: {}, "{}": {},
	} {
		var e event
		data := []byte(`{"start":` + value + `}`)
		require.NoError(t, codec.Decode(data, &e))
		assert.Equal(t, want, e.Start, value)
		_, extra := codec.Extra(data, &e)["start"]
		assert.Equal(t, want.IsZero() && value != "null" && value != "0", extra, value)
	}
}

func TestUnmarshalRefusesMalformedJSON(t *testing.T) {
	codec := newCodec()
	for data, want := range map[string]string{
		"": "malformed JSON", "{": "malformed JSON", `{"start":1}x`: "malformed JSON",
		"7": "the JSON does not fit the type", `"x"`: "the JSON does not fit the type",
	} {
		e := event{Start: time.Unix(1, 0)}
		require.EqualError(t, codec.Unmarshal([]byte(data), &e), want)
		assert.Equal(t, time.Unix(1, 0), e.Start, "the value is unchanged")
	}
}
