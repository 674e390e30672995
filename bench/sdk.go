package main

import (
	"context"
	"errors"
	"iter"

	"github.com/identomat-go/identomat"
)

// sdk is this SDK with its defaults: three attempts, an attempt timeout, limits and validation.
type sdk struct{ client *identomat.Client }

func newSDK(base string, signed bool) (client, error) {
	opts := []identomat.Option{identomat.WithWidgetURL(base), identomat.WithAPIURL(base)}
	if signed {
		opts = append(opts, identomat.WithHMAC(secretKey, identomat.RequireSignedResponses()))
	}
	c, err := identomat.NewClient(companyKey, opts...)
	return sdk{c}, err
}

var ctx = context.Background()

func (s sdk) begin(b beginning) (answer, error) {
	session, err := s.client.Sessions.Begin(ctx, newSession(b))
	if refused, ok := errors.AsType[*identomat.APIError](err); ok && b.refused {
		return answer{text: refused.Code}, nil
	}
	if err != nil {
		return answer{}, err
	}
	return answer{text: string(session.Token)}, nil
}

func newSession(b beginning) identomat.BeginRequest {
	user := "user-12345"
	if b.refused {
		user = refusedUser
	}
	if b.questions > 0 {
		questions := make([]identomat.AnyQuestion, b.questions)
		for i := range questions {
			key := questionKey(i)
			questions[i] = identomat.TextQuestion(key, identomat.Text{"en": "Title of " + key}).Mandatory(true)
		}
		return identomat.BeginRequest{Steps: identomat.Steps{identomat.UserQuestionnaire("many").Ask(questions...)}, ClientUserID: user}
	}
	return identomat.BeginRequest{
		Flags: identomat.NewFlags().Language(identomat.Georgian).ReturnURL("https://bank.example/kyc/return"),
		Steps: identomat.Steps{
			identomat.IdentityDocument().Types(identomat.Passport, identomat.IDCard).Countries("GEO").AllowUpload(true),
			identomat.Liveness().Active(true),
			identomat.UserQuestionnaire("employment").Ask(
				identomat.TextQuestion("name", identomat.Text{"en": "Your full name"}).Answer("John Doe").Mandatory(true),
				identomat.RadioQuestion("employed", identomat.Text{"en": "Are you employed?"},
					identomat.Choice("yes", identomat.Text{"en": "Yes"}), identomat.Choice("no", identomat.Text{"en": "No"})),
			).Title(identomat.Text{"en": "Employment", "ka": "დასაქმება"}),
		},
		ClientUserID: user,
	}
}

func (s sdk) result() (answer, error) {
	result, err := s.client.Sessions.Result(ctx, token)
	if err != nil {
		return answer{}, err
	}
	return answer{text: result.Person.FirstName, raw: result.Raw()}, nil
}

// outcome is the same call as result, because the SDK always keeps the response.
func (s sdk) outcome() (answer, error) {
	a, err := s.result()
	a.raw = nil
	return a, err
}

func (s sdk) download() (answer, error) {
	media, err := s.client.Media.FaceVideo(ctx, token)
	if err != nil {
		return answer{}, err
	}
	n, err := media.WriteTo(discard{})
	return answer{n: n}, err
}

func (s sdk) upload() (answer, error) {
	document, err := s.client.Documents.Passport(ctx, identomat.FileFromPath(uploadFile))
	if err != nil {
		return answer{}, err
	}
	return answer{text: document.Person.FirstName, raw: document.Raw()}, nil
}

func (s sdk) list(l *list) (answer, error) {
	switch l {
	case searchList:
		query := identomat.ScreeningQuery{FullName: "John Smith", ScoreThreshold: 80}
		return collect(s.client.Screening.Search(ctx, query), func(h identomat.ScreeningHit) string { return h.Name })
	case blacklistList:
		return collect(s.client.Blacklist.List(ctx, identomat.BlacklistFilter{}), func(r identomat.BlacklistRecord) string { return r.FirstName })
	case monitoredList:
		return collect(s.client.Screening.ListMonitored(ctx, identomat.MonitoredFilter{}), func(r identomat.MonitoredRecord) string { return r.FullName })
	}
	page, err := s.client.Blacklist.ListPage(ctx, identomat.BlacklistFilter{}, 0, l.limit)
	if err != nil {
		return answer{}, err
	}
	return answer{text: page.Data[len(page.Data)-1].FirstName, n: int64(len(page.Data))}, nil
}

func collect[T any](records iter.Seq2[T, error], name func(T) string) (answer, error) {
	var found answer
	for record, err := range records {
		if err != nil {
			return answer{}, err
		}
		found.n++
		found.text = name(record)
	}
	return found, nil
}
