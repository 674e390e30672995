package identomattest

import (
	"bytes"
	"embed"
	"encoding/json"
	"image"
	"slices"
)

// samples are the API reference's sample responses from the document readers.
//
//go:embed samples/*.json
var samples embed.FS

// reader returns a handler that responds with a sample and a new request id, whatever the image shows.
func reader(name string) func(*Server, *call) response {
	return func(s *Server, _ *call) response {
		text, err := samples.ReadFile("samples/" + name + ".json")
		must(err)
		out := slices.Clone(mustObject(string(text)))
		for i, m := range out {
			if m.name == "requestId" {
				out[i].value = s.randomHex(16)
			}
		}
		return jsonResponse(out)
	}
}

// Sizes of a face in pixels. Below recommendedFace, the response has the status FACE_FAR_AWAY; below
// smallestFace, it also has no similarity.
const (
	recommendedFace = 80
	smallestFace    = 65
)

// compareFaces takes the shorter side of an image as the size of the face. If both faces are large
// enough, it reports that they match, whoever they show.
func (s *Server) compareFaces(c *call) response {
	face1, statuses1 := examineFace(c.files["face1"])
	face2, statuses2 := examineFace(c.files["face2"])
	var similarity any
	if min(face1, face2) >= smallestFace {
		similarity = json.Number("0.9399788229619534") // the API reference's value; a float64 prints differently
		if c.files["face1"].SHA256 == c.files["face2"].SHA256 {
			similarity = 1
		}
	}
	return resultResponse(object{{"similarity", similarity}, {"face1Statuses", statuses1}, {"face2Statuses", statuses2}})
}

func examineFace(f upload) (size int, statuses []any) {
	config, _, err := image.DecodeConfig(bytes.NewReader(f.head))
	if err != nil {
		// The dimensions of a large image may come after the bytes that were kept.
		return recommendedFace, []any{}
	}
	size = min(config.Width, config.Height)
	if size < recommendedFace {
		return size, []any{"FACE_FAR_AWAY"}
	}
	return size, []any{}
}
