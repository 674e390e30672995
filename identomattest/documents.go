package identomattest

import (
	"bytes"
	"crypto/rand"
	"embed"
	"encoding/hex"
	"encoding/json"
	jpegimage "image/jpeg"
	"slices"
)

// samples are the replies that the reference shows for the image readers.
//
//go:embed samples/*.json
var samples embed.FS

// reader answers with the sample and a request id of its own, whatever the image shows.
func reader(name string) func(*Server, *call) response {
	return func(*Server, *call) response {
		text, err := samples.ReadFile("samples/" + name + ".json")
		must(err)
		out := slices.Clone(mustObject(string(text)))
		for i, m := range out {
			if m.name == "requestId" {
				id := make([]byte, 16)
				_, _ = rand.Read(id)
				out[i].value = hex.EncodeToString(id)
			}
		}
		return jsonResponse(out)
	}
}

// The recommended size of a face in pixels. Between the two the reply has a status and a
// similarity, below the smaller one a status alone.
const (
	recommendedFace = 80
	smallestFace    = 65
)

// compareFaces takes the shorter side of a picture for the size of its face, and finds
// the same person everywhere.
func (s *Server) compareFaces(c *call) response {
	face1, statuses1 := examineFace(c.files["face1"])
	face2, statuses2 := examineFace(c.files["face2"])
	var similarity any
	if min(face1, face2) >= smallestFace {
		similarity = json.Number("0.9399788229619534") // the text of the reference, which no float64 prints
		if c.files["face1"].SHA256 == c.files["face2"].SHA256 {
			similarity = 1
		}
	}
	return resultResponse(object{{"similarity", similarity}, {"face1Statuses", statuses1}, {"face2Statuses", statuses2}})
}

func examineFace(f upload) (size int, statuses []any) {
	config, err := jpegimage.DecodeConfig(bytes.NewReader(f.head))
	if err != nil {
		// The head of a large file may end before the size of the picture.
		return recommendedFace, []any{}
	}
	size = min(config.Width, config.Height)
	if size < recommendedFace {
		return size, []any{"FACE_FAR_AWAY"}
	}
	return size, []any{}
}
