package evidence_test

import (
	"bufio"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
)

// sha256sum and sha512sum verify every manifest as it stands.
func TestManifestsVerifyWithCoreutils(t *testing.T) {
	server := quiet(t)
	dir, _ := collect(t, server, decided(t, server))
	for _, algorithm := range []string{"sha256", "sha512"} {
		tool, err := exec.LookPath(algorithm + "sum")
		if err != nil {
			t.Skip(algorithm + "sum is not installed")
		}
		for _, manifest := range []string{"manifest-", "tagmanifest-"} {
			cmd := exec.CommandContext(t.Context(), tool, "--strict", "-c", manifest+algorithm+".txt")
			cmd.Dir = dir
			output, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s", output)
			assert.NotEmpty(t, output)
			assert.NotContains(t, strings.ReplaceAll(string(output), ": OK\n", ""), ":")
		}
	}
}

// bag is what a reader of BagIt knows about a bag. The reader is written from RFC 8493 alone, and shares no code
// with the package.
type bag struct {
	dir  string
	info map[string][]string
}

// readBag checks that dir is a complete and valid bag, as section 3 of RFC 8493 defines the terms.
func readBag(dir string) (*bag, error) {
	b := &bag{dir: dir}
	if err := b.readDeclaration(); err != nil { // section 2.1.1
		return nil, err
	}
	payload := map[string]bool{}
	err := filepath.WalkDir(filepath.Join(dir, "data"), func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			name, relErr := filepath.Rel(dir, path)
			payload[filepath.ToSlash(name)] = true
			err = relErr
		}
		return err
	})
	if err != nil { // section 2.1.2: the payload directory must exist
		return nil, err
	}
	manifests, err := filepath.Glob(filepath.Join(dir, "manifest-*.txt"))
	if err != nil || len(manifests) == 0 { // section 2.1.3
		return nil, fmt.Errorf("no payload manifest: %w", err)
	}
	for _, manifest := range manifests {
		listed, err := b.checkManifest(filepath.Base(manifest))
		if err != nil {
			return nil, err
		}
		for name := range payload { // section 3, complete: every payload file is listed in every manifest
			if !listed[name] {
				return nil, fmt.Errorf("%s is not in %s", name, manifest)
			}
		}
		for name := range listed {
			if !payload[name] {
				return nil, fmt.Errorf("%s in %s is no payload file", name, manifest)
			}
		}
	}
	tags, err := filepath.Glob(filepath.Join(dir, "tagmanifest-*.txt"))
	if err != nil {
		return nil, err
	}
	for _, manifest := range tags { // section 2.2.1
		listed, err := b.checkManifest(filepath.Base(manifest))
		if err != nil {
			return nil, err
		}
		for name := range listed {
			if strings.HasPrefix(name, "data/") || strings.HasPrefix(name, "tagmanifest-") {
				return nil, fmt.Errorf("%s must not be in a tag manifest", name)
			}
		}
		for _, m := range manifests { // all payload manifests must be listed
			if !listed[filepath.Base(m)] {
				return nil, fmt.Errorf("%s is not in %s", m, manifest)
			}
		}
	}
	return b, b.readInfo()
}

func (b *bag) readDeclaration() error {
	data, err := os.ReadFile(filepath.Join(b.dir, "bagit.txt"))
	if err != nil {
		return err
	}
	if !regexp.MustCompile(`^BagIt-Version: \d+\.\d+\nTag-File-Character-Encoding: UTF-8\n$`).Match(data) || !strings.HasPrefix(string(data), "BagIt-Version: 1.0\n") {
		return fmt.Errorf("bagit.txt: %q", data)
	}
	return nil
}

// checkManifest checks the files in a manifest. Each line is a checksum, linear white space and a path in
// which only CR, LF and % are percent-encoded.
func (b *bag) checkManifest(manifest string) (listed map[string]bool, err error) {
	algorithm := manifest[strings.LastIndex(manifest, "-")+1 : len(manifest)-len(".txt")]
	file, err := os.Open(filepath.Join(b.dir, manifest))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	listed = map[string]bool{}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		checksum, path, found := strings.Cut(lines.Text(), " ")
		path = strings.NewReplacer("%0D", "\r", "%0d", "\r", "%0A", "\n", "%0a", "\n", "%25", "%").Replace(strings.TrimLeft(path, " \t"))
		if !found || listed[path] || path != filepath.ToSlash(filepath.Clean(path)) || strings.HasPrefix(path, "..") || filepath.IsAbs(path) {
			return nil, fmt.Errorf("%s: %q", manifest, lines.Text())
		}
		listed[path] = true
		data, err := os.ReadFile(filepath.Join(b.dir, filepath.FromSlash(path)))
		if err != nil {
			return nil, err
		}
		var h hash.Hash
		switch algorithm {
		case "sha256":
			h = sha256.New()
		case "sha512":
			h = sha512.New()
		default:
			return nil, fmt.Errorf("algorithm %q", algorithm)
		}
		h.Write(data)
		if fmt.Sprintf("%x", h.Sum(nil)) != strings.ToLower(checksum) {
			return nil, fmt.Errorf("%s: %s does not match", manifest, path)
		}
	}
	return listed, lines.Err()
}

// readInfo reads bag-info.txt: labels and values, with continuation lines that begin with white space
// (section 2.2.2).
func (b *bag) readInfo() error {
	data, err := os.ReadFile(filepath.Join(b.dir, "bag-info.txt"))
	if err != nil {
		return err
	}
	b.info = map[string][]string{}
	last := ""
	for line := range strings.Lines(string(data)) {
		line = strings.TrimRight(line, "\r\n")
		if strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t") {
			values := b.info[last]
			values[len(values)-1] += " " + strings.TrimSpace(line)
			continue
		}
		label, value, found := strings.Cut(line, ": ")
		if !found {
			return fmt.Errorf("bag-info.txt: %q", line)
		}
		last = label
		b.info[label] = append(b.info[label], value)
	}
	octets, streams, _ := strings.Cut(b.info["Payload-Oxum"][0], ".")
	var size, count int
	err = filepath.WalkDir(filepath.Join(b.dir, "data"), func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		size += int(info.Size())
		count++
		return err
	})
	if octets != strconv.Itoa(size) || streams != strconv.Itoa(count) {
		return fmt.Errorf("Payload-Oxum %s.%s instead of %d.%d", octets, streams, size, count)
	}
	return err
}

func TestIndependentReaderAcceptsPackages(t *testing.T) {
	server := quiet(t)
	dir, report := collect(t, server, decided(t, server))
	bag, err := readBag(dir)
	require.NoError(t, err)
	assert.Equal(t, []string{report.Session}, bag.info["External-Identifier"])
	assert.Equal(t, []string{"identomat-go/" + identomat.Version}, bag.info["Bag-Software-Agent"])
	first, last := report.Sources[0].Time, report.Sources[0].Time
	for _, s := range report.Sources {
		if s.Time.Before(first) {
			first = s.Time
		}
		if s.Time.After(last) {
			last = s.Time
		}
	}
	const layout = "2006-01-02T15:04:05.999999999Z07:00"
	assert.Equal(t, []string{first.Format(layout), last.Format(layout)}, append(bag.info["Collection-Begin"], bag.info["Collection-End"]...))

	// The reader notices a change, so that its acceptance means something.
	require.NoError(t, os.WriteFile(filepath.Join(dir, "data/media/face.jpg"), []byte("x"), 0o600))
	_, err = readBag(dir)
	require.ErrorContains(t, err, "data/media/face.jpg does not match")
}
