package main

import (
	"context"

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

func (s sdk) begin() (answer, error) {
	session, err := s.client.Sessions.Begin(ctx, identomat.BeginRequest{
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
		ClientUserID: "user-12345",
	})
	if err != nil {
		return answer{}, err
	}
	return answer{text: string(session.Token)}, nil
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

func (s sdk) search() (answer, error) {
	var found answer
	for hit, err := range s.client.Screening.Search(ctx, identomat.ScreeningQuery{FullName: "John Smith", ScoreThreshold: 80}) {
		if err != nil {
			return answer{}, err
		}
		found.n++
		found.text = hit.Name
	}
	return found, nil
}
