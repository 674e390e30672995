package evidence

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/internal/operation"
	"github.com/identomat-go/identomat/internal/sniff"
)

// source is a response, or a list of responses, that Collect keeps. Its files are named after it.
type source struct {
	name string
	op   *operation.Operation
	// parameters are the parameters besides the session.
	parameters map[string]string
	// Either json or media is set. The function json makes a call whose response body is kept.
	json  fetchJSON
	media fetchMedia
	// many says that media can yield several files.
	many bool
	// next returns the source to collect after this one, or nil.
	next func() *source
}

type (
	fetchJSON  = func(context.Context, *identomat.Client, identomat.Token) error
	fetchMedia = func(context.Context, *identomat.Client, identomat.Token) iter.Seq2[*identomat.Media, error]
)

// resultName is the name of the first source. The result decides which files of answers exist.
const resultName = "result"

var resultSource = source{name: resultName, op: operation.SessionResult, json: session((*identomat.SessionsService).Result)}

// sourcesOf returns the sources of a session besides its result.
func sourcesOf(result *identomat.Result) []source {
	all := []source{
		{name: "session-config", op: operation.SessionConfig, json: config(result.ConfigID), parameters: named("sessionConfigId", result.ConfigID)},
		{name: "activities", op: operation.SessionActivities, json: session((*identomat.SessionsService).Activities)},
		{name: "statistics", op: operation.SessionStatistics, json: session((*identomat.SessionsService).Statistics)},
		{name: "report", op: operation.ExportSessionPDF, media: one(func(ctx context.Context, c *identomat.Client, t identomat.Token) (*identomat.Media, error) {
			return c.Sessions.ExportPDF(ctx, t, identomat.PDFParts{Session: true, Screening: true, ProofOfAddress: true})
		})},
		{name: "media/card-front", op: operation.ResultCardFront, media: file((*identomat.MediaService).CardFront)},
		{name: "media/card-back", op: operation.ResultCardBack, media: file((*identomat.MediaService).CardBack)},
		{name: "media/passport", op: operation.ResultPassport, media: file((*identomat.MediaService).Passport)},
		{name: "media/face", op: operation.ResultFace, media: file((*identomat.MediaService).Face)},
		{name: "media/face-video", op: operation.ResultFaceVideo, media: file((*identomat.MediaService).FaceVideo)},
		{name: "media/face-document", op: operation.ResultFaceDocument, media: file((*identomat.MediaService).FaceDocument)},
		{name: "media/document-face-photo", op: operation.DocumentFacePhoto, media: file((*identomat.MediaService).DocumentFacePhoto)},
		{name: "visual-markers", op: operation.VisualMarkers, many: true, media: func(ctx context.Context, c *identomat.Client, t identomat.Token) iter.Seq2[*identomat.Media, error] {
			return c.Media.VisualMarkers(ctx, t)
		}},
		{name: "video-call/shots", op: operation.VideoCallShots, many: true, media: func(ctx context.Context, c *identomat.Client, t identomat.Token) iter.Seq2[*identomat.Media, error] {
			return c.VideoCalls.Shots(ctx, t)
		}},
		{name: "video-call/videos", op: operation.VideoCallVideos, media: one(func(ctx context.Context, c *identomat.Client, t identomat.Token) (*identomat.Media, error) {
			return c.VideoCalls.Videos(ctx, t)
		})},
	}
	all = append(all, documentSources(result)...)
	return append(all, questionSources(result)...)
}

// notCollected lists the rows of the operation table that Collect never calls, with the reasons.
var notCollected = map[*operation.Operation]string{
	operation.SessionBegin:  "begins a session",
	operation.SessionDelete: "erases the session; see Erase",

	operation.ScreeningSearch:    billed,
	operation.ScreeningPerson:    billed,
	operation.ScreeningMonitor:   billed,
	operation.ScreeningUnmonitor: "changes the monitoring of a person, not of a session",
	operation.ScreeningMonitored: "lists the people that the company monitors",

	operation.BlacklistAdd:    "changes the company's blacklist",
	operation.BlacklistRemove: "changes the company's blacklist",
	operation.BlacklistList:   "lists the company's blacklist",

	operation.VideoCallEnd: "ends a video call",

	operation.GroupsList:  dashboard,
	operation.GroupCreate: dashboard,
	operation.GroupUpdate: dashboard,
	operation.GroupDelete: dashboard,
	operation.UsersList:   dashboard,
	operation.UserCreate:  dashboard,

	operation.CardFront:      billed,
	operation.CardBack:       billed,
	operation.LicenseFront:   billed,
	operation.LicenseBack:    billed,
	operation.ResidenceFront: billed,
	operation.ResidenceBack:  billed,
	operation.Passport:       billed,
	operation.CompareFaces:   billed,
}

const (
	billed    = "may be billed and belongs to no session; the caller adds the response with With"
	dashboard = "concerns the people who work with the dashboard"
)

// session adapts a method whose response is JSON. Collect keeps the body, not the decoded value.
func session[T any](get func(*identomat.SessionsService, context.Context, identomat.Token) (T, error)) fetchJSON {
	return func(ctx context.Context, c *identomat.Client, t identomat.Token) error {
		_, err := get(c.Sessions, ctx, t)
		return err
	}
}

// file adapts a method that returns one file.
func file(get func(*identomat.MediaService, context.Context, identomat.Token) (*identomat.Media, error)) fetchMedia {
	return one(func(ctx context.Context, c *identomat.Client, t identomat.Token) (*identomat.Media, error) {
		return get(c.Media, ctx, t)
	})
}

// one adapts a function that returns one file.
func one(get func(context.Context, *identomat.Client, identomat.Token) (*identomat.Media, error)) fetchMedia {
	return func(ctx context.Context, c *identomat.Client, t identomat.Token) iter.Seq2[*identomat.Media, error] {
		return func(yield func(*identomat.Media, error) bool) { yield(get(ctx, c, t)) }
	}
}

func named(name, value string) map[string]string {
	if value == "" {
		return nil
	}
	return map[string]string{name: value}
}

// isBlank reports whether a text cannot be sent as a required parameter.
func isBlank(text string) bool { return strings.TrimSpace(text) == "" }

// errNoConfig means that there is no configuration to fetch.
var errNoConfig = errors.New("the session was begun without a configuration")

func config(id string) fetchJSON {
	return func(ctx context.Context, c *identomat.Client, _ identomat.Token) error {
		if isBlank(id) {
			return errNoConfig
		}
		_, err := c.Sessions.Config(ctx, id)
		return err
	}
}

// documentSources returns a source for each general document that Identomat's API documentation names,
// and for others in the result. Unlike the documented ids, another id could be anything, so it does not
// become a file name.
func documentSources(result *identomat.Result) (all []source) {
	ids := []string{
		string(identomat.BankStatementMedia), string(identomat.UtilityBillMedia), string(identomat.VehicleRegistrationCertificateFrontMedia),
		string(identomat.VehicleRegistrationCertificateBackMedia), string(identomat.DriversLicenseMedia),
	}
	documented, seen := len(ids), map[string]bool{}
	for _, id := range ids {
		seen[id] = true
	}
	for _, document := range result.GeneralDocuments {
		for _, page := range document.Pages {
			if !isBlank(page.TypeID) && !seen[page.TypeID] {
				seen[page.TypeID] = true
				ids = append(ids, page.TypeID)
			}
		}
	}
	for i, id := range ids {
		name := id
		if i >= documented {
			name = "other-" + strconv.Itoa(i-documented+1)
		}
		all = append(all, source{
			name: "documents/" + name, op: operation.ResultGeneralDocument, parameters: named("typeId", id),
			media: one(func(ctx context.Context, c *identomat.Client, t identomat.Token) (*identomat.Media, error) {
				return c.Media.GeneralDocument(ctx, t, identomat.GeneralDocumentMedia(id))
			}),
		})
	}
	return all
}

// maxQuestionFiles is the documented maximum of filesMaxCount.
const maxQuestionFiles = 10

// questionSources returns a source for the first file of every answered question. A result does not say
// which answers are files. After each file, the field next of its source leads to another one.
func questionSources(result *identomat.Result) (all []source) {
	for i, questionnaire := range result.Questionnaires {
		for j, question := range questionnaire.Questions {
			if question.Answer.Exists() && !isBlank(questionnaire.Key) && !isBlank(question.Key) {
				name := "questions/" + strconv.Itoa(i+1) + "-" + strconv.Itoa(j+1) + "-"
				all = append(all, questionSource(name, questionnaire.Key, question.Key, 0))
			}
		}
	}
	return all
}

func questionSource(name, step, question string, index int) source {
	s := source{
		name: name + strconv.Itoa(index+1), op: operation.QuestionFile,
		parameters: map[string]string{"stepKey": step, "questionKey": question, "fileIndex": strconv.Itoa(index)},
		media: one(func(ctx context.Context, c *identomat.Client, t identomat.Token) (*identomat.Media, error) {
			return c.Media.QuestionFile(ctx, t, step, question, index)
		}),
	}
	if index+1 < maxQuestionFiles {
		s.next = func() *source {
			next := questionSource(name, step, question, index+1)
			return &next
		}
	}
	return s
}

// absence returns why a source is absent, or "" if err reports another failure.
func (s *source) absence(err error) string {
	api, isAPI := errors.AsType[*identomat.APIError](err)
	switch {
	case errors.Is(err, errNoConfig):
		return "no configuration"
	case !isAPI:
		return ""
	case (s.op == operation.QuestionFile || s.op == operation.SessionConfig) && errors.Is(err, identomat.ErrWrongParameters):
		// The documented response for a question without a file, and the only documented error for a
		// configuration. The parameters come from the result, so they are not wrong.
	case errors.Is(err, identomat.ErrSessionNotFound), !errors.Is(err, identomat.ErrNotFound):
		return ""
	}
	switch {
	case api.Code != "":
		return api.Code
	case api.StatusCode == 200:
		return "empty"
	}
	return strconv.Itoa(api.StatusCode)
}

// path returns the path of a file in the package. n counts the files of the source from 1.
func (s *source) path(n int, contentType string) string {
	extension := sniff.Extension(contentType)
	switch {
	case s.json != nil:
		extension = ".json"
	case extension == "":
		extension = ".bin"
	}
	name := payload + s.name
	if s.many && strings.Contains(s.name, "/") {
		name += "-" + strconv.Itoa(n)
	} else if s.many {
		name += "/" + strconv.Itoa(n)
	}
	return name + extension
}

// reservedNames are the first elements of the paths that sources use, without extensions.
var reservedNames = func() []string {
	used := map[string]bool{resultName: true, "questions": true, "data": true} // data/data would be a mistake
	for _, s := range sourcesOf(&identomat.Result{}) {
		first, _, _ := strings.Cut(s.name, "/")
		used[first] = true
	}
	return slices.Sorted(maps.Keys(used))
}()
