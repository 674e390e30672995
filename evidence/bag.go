package evidence

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/identomat-go/identomat"
)

// Files of a package.
const (
	payload        = "data/"
	declaration    = "bagit.txt"
	bagInfo        = "bag-info.txt"
	collectionFile = "collection.json"
	// tagManifest is the file to be time-stamped: its hashes cover the whole package.
	tagManifest = "tagmanifest-sha256.txt"
	// sealFolder is the folder for time stamps, which no manifest lists because they are made last.
	sealFolder = "seal"
	sealSuffix = ".tsr"
)

const bagit = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"

// algorithms are the hashes of the manifests.
var algorithms = [...]string{"sha256", "sha512"}

func manifestName(algorithm string) string    { return "manifest-" + algorithm + ".txt" }
func tagManifestName(algorithm string) string { return "tagmanifest-" + algorithm + ".txt" }

// Limits of a package. Those of files, sizes and paths are the limits of archives in package identomat.
const (
	maxFiles    = 10_000
	maxEntries  = 2 * maxFiles // files and folders
	maxFileSize = 1 << 30
	maxPath     = 1024
	maxDepth    = 100
	maxTotal    = 32 << 30
	maxTagFile  = 16 << 20
	// maxCommas limits the values in collection.json, because two bytes of JSON can take 144 bytes of memory.
	maxCommas = 1 << 18
	maxSeal   = 64 << 10 // as in package seal
	maxSeals  = 100
	// maxOutside exceeds the number of files and folders outside data.
	maxOutside = 2 * maxSeals
)

// State says what became of a source.
type State string

// The states of a source.
const (
	// Collected means that Files holds the content.
	Collected State = "collected"
	// Absent means that the service has nothing for this source. Reason is what the service said.
	Absent State = "absent"
	// Failed means that the source may exist but could not be fetched. Reason is the error. A later
	// Collect tries again.
	Failed State = "failed"
	// Added means that the caller added the file.
	Added State = "added"
)

// Report says what a collection found. Its JSON is the file collection.json of the package. It holds
// the ids and keys in Parameters, but no token and no content.
type Report struct {
	// Version is the version of the format, 1.
	Version int `json:"version"`
	// Session is the SHA-256 of the session's token, in lowercase hexadecimal.
	Session string `json:"session"`
	// Outcome is the session's outcome when it was collected.
	Outcome identomat.Outcome `json:"outcome"`
	// Complete says that the session has ended, and that every source was collected or is absent.
	Complete bool `json:"complete"`
	// Sources are in a fixed order. The files that the caller added come last.
	Sources []Source `json:"sources"`
}

// isComplete returns what Complete must be.
func (r *Report) isComplete() bool {
	return r.Outcome != identomat.OutcomeInProgress && !slices.ContainsFunc(r.Sources, func(s Source) bool { return s.State == Failed })
}

// Source is a response, or a file from the caller, in a [Report].
type Source struct {
	// Name is the path of the source's files in data, without number and extension, such as
	// "media/face".
	Name string `json:"name"`
	// Operation is the endpoint, such as result/face/. It is empty for a file from the caller.
	Operation string `json:"operation,omitzero"`
	// Parameters are the request's parameters besides the session, by wire name: sessionConfigId, the id of
	// the configuration; typeId, the type of a document; or stepKey, questionKey and fileIndex, the keys of a
	// question and the index of the file, which counts from 0.
	Parameters map[string]string `json:"parameters,omitzero"`
	// State says what became of the source.
	State State `json:"state"`
	// Reason says why the source is Absent or Failed.
	Reason string `json:"reason,omitzero"`
	// Time is when the response, or the last attempt, ended.
	Time time.Time `json:"time"`
	// Attempts counts the requests. Status is the HTTP status of the last response, or 0.
	Attempts int `json:"attempts,omitzero"`
	Status   int `json:"status,omitzero"`
	// SignatureVerified says that the response had a valid signature. It is false for an absent source, and
	// if the client does not sign: see [identomat.WithHMAC].
	SignatureVerified bool `json:"signatureVerified"`
	// Files are the files in the package.
	Files []File `json:"files,omitzero"`
}

// File is a file in a package.
type File struct {
	// Path is slash-separated and begins with data/.
	Path string `json:"path"`
	// ContentType is the type that the content shows, or else the declared type. It is empty for a file
	// from the caller.
	ContentType string `json:"contentType,omitzero"`
	// Size is in bytes.
	Size int64 `json:"size"`
	// SHA256 and SHA512 are in lowercase hexadecimal.
	SHA256 string `json:"sha256"`
	SHA512 string `json:"sha512"`
}

func (f *File) hash(algorithm string) string {
	if algorithm == "sha256" {
		return f.SHA256
	}
	return f.SHA512
}

// sessionHash identifies a session without revealing its token.
func sessionHash(token identomat.Token) string {
	hash := sha256.Sum256([]byte(token))
	return hex.EncodeToString(hash[:])
}

// tagFile is a file of a package outside data.
type tagFile struct {
	name string
	data []byte
}

// tagFiles returns the files outside data, in the order in which they are written. They depend on the
// report alone.
func tagFiles(report *Report) []tagFile {
	var begin, end time.Time
	var size int64
	var files []File
	for _, s := range report.Sources {
		if begin.IsZero() || s.Time.Before(begin) {
			begin = s.Time
		}
		if s.Time.After(end) {
			end = s.Time
		}
		for _, f := range s.Files {
			size += f.Size
			files = append(files, f)
		}
	}
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	info := fmt.Sprintf("Bag-Software-Agent: identomat-go/%s\nBagging-Date: %s\nExternal-Identifier: %s\nPayload-Oxum: %d.%d\n"+
		"Collection-Begin: %s\nCollection-End: %s\nCollection-Complete: %t\n", identomat.Version, end.Format(time.DateOnly), report.Session,
		size, len(files), begin.Format(time.RFC3339Nano), end.Format(time.RFC3339Nano), report.Complete)
	collection, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		panic(err) // a Report always has a JSON form
	}
	tags := []tagFile{{declaration, []byte(bagit)}, {bagInfo, []byte(info)}, {collectionFile, append(collection, '\n')}}
	for _, algorithm := range algorithms {
		var b strings.Builder
		for _, f := range files {
			fmt.Fprintf(&b, "%s  %s\n", f.hash(algorithm), f.Path)
		}
		tags = append(tags, tagFile{manifestName(algorithm), []byte(b.String())})
	}
	slices.SortFunc(tags, func(a, b tagFile) int { return strings.Compare(a.name, b.name) })
	covered := tags
	for _, algorithm := range algorithms {
		var b strings.Builder
		for _, tag := range covered {
			h := newHashes()
			_, _ = h.Write(tag.data)
			sum := h.file("")
			fmt.Fprintf(&b, "%s  %s\n", sum.hash(algorithm), tag.name)
		}
		tags = append(tags, tagFile{tagManifestName(algorithm), []byte(b.String())})
	}
	return tags
}

// checkSize returns an error that is ErrTooLarge if the package takes more than one part of the limits that
// Verify sets.
func checkSize(report *Report, tags []tagFile, parts int) error {
	files, size := 0, int64(0)
	folders := map[string]bool{}
	for _, s := range report.Sources {
		for _, f := range s.Files {
			files, size = files+1, size+f.Size
			for dir := path.Dir(f.Path); dir != "."; dir = path.Dir(dir) {
				folders[dir] = true
			}
		}
	}
	switch {
	case files > maxFiles/parts:
		return &Problem{payload, fmt.Errorf("%w: more than %d files", ErrTooLarge, maxFiles/parts)}
	case size > maxTotal/int64(parts):
		return &Problem{payload, fmt.Errorf("%w: more than %d GiB", ErrTooLarge, maxTotal>>30/parts)}
	case files+len(folders) > (maxEntries-maxOutside)/parts:
		return &Problem{payload, fmt.Errorf("%w: more than %d files and folders", ErrTooLarge, (maxEntries-maxOutside)/parts)}
	}
	for _, tag := range tags {
		if len(tag.data) > maxTagFile/parts {
			return &Problem{tag.name, fmt.Errorf("%w: more than %d MiB", ErrTooLarge, maxTagFile>>20/parts)}
		}
		if tag.name == collectionFile && countCommas(tag.data) > maxCommas/parts {
			return &Problem{tag.name, fmt.Errorf("%w: too many values", ErrTooLarge)}
		}
	}
	return nil
}

func countCommas(data []byte) int { return bytes.Count(data, []byte(",")) }

// tagNames are the names of the files outside data.
var tagNames = func() (names []string) {
	for _, tag := range tagFiles(&Report{}) {
		names = append(names, tag.name)
	}
	return names
}()

func isTag(name string) bool { return slices.Contains(tagNames, name) }

// isSeal reports whether a path is that of a time stamp.
func isSeal(name string) bool {
	file, found := strings.CutPrefix(name, sealFolder+"/")
	return found && !strings.Contains(file, "/") && strings.HasSuffix(file, sealSuffix) && checkPath(name) == ""
}

// checkPath returns what is wrong with the path of a file in a package, or "". The characters are those
// that no file system, shell or manifest treats specially. There are no capital letters, because two names
// that differ in case are one file on some systems.
func checkPath(path string) string {
	switch {
	case len(path) > maxPath || strings.Count(path, "/") > maxDepth:
		return "is too long"
	case strings.ContainsFunc(path, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '.' || r == '-' || r == '_' || r == '/')
	}):
		return "must consist of lowercase ASCII letters, digits, dots, hyphens, underscores and slashes"
	}
	for element := range strings.SplitSeq(path, "/") {
		stem, _, _ := strings.Cut(element, ".")
		switch {
		case stem == "" || strings.HasSuffix(element, "."):
			return "must have no element that is empty or begins or ends with a dot"
		case len(element) > maxElement:
			return "has an element that is too long"
		case slices.Contains(devices, stem):
			return "has an element that is a device on Windows"
		}
	}
	return ""
}

// maxElement leaves room for the suffix of an unfinished file: file systems limit a name to 255 bytes.
const maxElement = 200

var devices = strings.Fields("con prn aux nul com0 com1 com2 com3 com4 com5 com6 com7 com8 com9 lpt0 lpt1 lpt2 lpt3 lpt4 lpt5 lpt6 lpt7 lpt8 lpt9")
