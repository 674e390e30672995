package evidence_test

import (
	"archive/zip"
	"bytes"
	"maps"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat/evidence"
)

// FuzzVerify replaces the content of a file outside data. Verify must not panic, and must notice any change
// unless the tag manifests are rewritten.
func FuzzVerify(f *testing.F) {
	original := small(f)
	names := evidence.TagNames()
	for i, name := range names {
		f.Add(uint8(i), false, original[name].Data)
		f.Add(uint8(i), true, original[name].Data)
		f.Add(uint8(i), true, []byte("{}"))
		f.Add(uint8(i), true, append([]byte("\r\n"), original[name].Data...))
	}
	f.Add(uint8(slices.Index(names, "collection.json")), true, []byte(`{"version":1,"sources":[{"files":[{"path":"../x","size":-1}]}]}`))
	f.Fuzz(func(t *testing.T, file uint8, forged bool, data []byte) {
		name := names[int(file)%len(names)]
		files := maps.Clone(original)
		files[name] = &fstest.MapFile{Data: data, Mode: 0o600}
		isChanged := !bytes.Equal(data, original[name].Data)
		if forged {
			for _, manifest := range []string{"tagmanifest-sha256.txt", "tagmanifest-sha512.txt"} {
				files[manifest] = &fstest.MapFile{Mode: 0o600}
			}
			forge(files)
			isChanged = false
		}
		check, err := evidence.Verify(files)
		if err != nil {
			require.NotEmpty(t, named(t, err))
			require.NotEmpty(t, err.Error())
			return
		}
		require.False(t, isChanged, "%s was changed", name)
		require.NotNil(t, check.Report)
	})
}

// FuzzVerifyZip verifies any bytes that are a zip. What verifies can be packed, and the result is stable.
func FuzzVerifyZip(f *testing.F) {
	var b bytes.Buffer
	require.NoError(f, evidence.Pack(&b, small(f)))
	f.Add(b.Bytes())
	for _, archive := range attacks(f) {
		f.Add(archive)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		if _, err := evidence.Verify(archive); err != nil {
			require.NotEmpty(t, named(t, err))
			return
		}
		var first, second bytes.Buffer
		require.NoError(t, evidence.Pack(&first, archive))
		packed, err := zip.NewReader(bytes.NewReader(first.Bytes()), int64(first.Len()))
		require.NoError(t, err)
		require.NoError(t, evidence.Pack(&second, packed))
		require.True(t, bytes.Equal(first.Bytes(), second.Bytes()))
	})
}
