package identomat_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/identomattest"
)

// TestAPIByExample uses the API as an application does, from a session to the blacklist.
func TestAPIByExample(t *testing.T) {
	server := identomattest.NewServer(t, identomattest.AllowUnknown("skip_agreement"))
	companyKey, secretKey := server.CompanyKey, server.SecretKey
	rt := http.DefaultTransport.(*http.Transport).Clone()
	defer rt.CloseIdleConnections()
	ctx := t.Context()

	client, err := identomat.NewClient(companyKey,
		identomat.WithHMAC(secretKey),
		identomat.WithHTTPClient(&http.Client{Transport: rt}),
		identomat.WithRetry(identomat.RetryPolicy{MaxAttempts: 4, MaxDelay: 10 * time.Second}),
		identomat.WithLogger(slog.New(slog.DiscardHandler)),
		identomat.WithWidgetURL(server.WidgetURL), identomat.WithAPIURL(server.APIURL),
	)
	require.NoError(t, err)

	session, err := client.Sessions.Begin(ctx, identomat.BeginRequest{
		Flags: identomat.NewFlags().
			Language(identomat.Georgian).
			ReturnURL("https://bank.example/kyc/return").
			SkipDesktop(true).
			Set("skip_agreement", true),
		Steps: identomat.Steps{
			identomat.IdentityDocument().Types(identomat.Passport, identomat.IDCard).Countries("GEO").AllowUpload(true),
			identomat.Liveness().Active(true),
			identomat.ProofOfAddress(identomat.UtilityBill, identomat.BankStatement),
			identomat.UserQuestionnaire("employment").
				Ask(
					identomat.TextQuestion("name", identomat.Text{"en": "Your full name"}).Answer("John Doe").Mandatory(true),
					identomat.RadioQuestion("employed", identomat.Text{"en": "Are you employed?"},
						identomat.Choice("yes", identomat.Text{"en": "Yes"}),
						identomat.Choice("no", identomat.Text{"en": "No"})),
					identomat.FileQuestion("contract", identomat.Text{"en": "Contract"}).FileTypes("pdf").MaxFiles(2).
						ShowIf("employed", "yes"),
				).
				Title(identomat.Text{"en": "Employment", "ka": "დასაქმება"}),
		},
		ClientUserID: "user-12345",
	})
	require.NoError(t, err)

	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/kyc", nil)
	http.Redirect(w, r, session.URL, http.StatusSeeOther)
	assert.Equal(t, server.WidgetURL+"/?session_token="+string(session.Token), w.Header().Get("Location"))

	require.NoError(t, server.Approve(session.Token))
	result, err := client.Sessions.Wait(ctx, session.Token)
	require.NoError(t, err)
	if !result.Approved() {
		t.Error("the result is not approved")
	}
	assert.Equal(t, "John", result.Person.FirstName)
	assert.Equal(t, "Smith", result.Person.LastName)
	assert.Equal(t, "John Doe", result.Answer("employment", "name").Text())
	assert.Contains(t, string(result.Raw()), `"approved"`)

	face, err := client.Media.Face(ctx, session.Token)
	require.NoError(t, err)
	name := filepath.Join(t.TempDir(), "face.jpg")
	n, err := face.SaveFile(name)
	require.NoError(t, err)
	saved, err := os.Stat(name)
	require.NoError(t, err)
	assert.Equal(t, saved.Size(), n)

	for shot, err := range client.VideoCalls.Shots(ctx, session.Token) {
		require.NoError(t, err)
		_, err = shot.Bytes()
		require.NoError(t, err)
	}
	hits := 0
	for hit, err := range client.Screening.Search(ctx, identomat.ScreeningQuery{FullName: "John Smith", ScoreThreshold: 80}) {
		require.NoError(t, err)
		assert.GreaterOrEqual(t, hit.Score, 80.0)
		hits++
	}
	assert.Positive(t, hits)

	passport := filepath.Join(t.TempDir(), "passport.jpg")
	require.NoError(t, os.WriteFile(passport, identomattest.FaceJPEG(64, 64), 0o600))
	scan, err := client.Documents.Passport(ctx, identomat.FileFromPath(passport))
	require.NoError(t, err)
	assert.NotEmpty(t, scan.Person.LastName)
	id, err := client.Blacklist.Add(ctx, identomat.BlacklistEntry{DocumentNumber: "AB1", Reason: "forged"})
	require.NoError(t, err)
	assert.NotEmpty(t, id)

	_, err = client.Sessions.Delete(ctx, session.Token)
	require.NoError(t, err)
	_, err = client.Sessions.Result(ctx, session.Token)
	switch {
	case errors.Is(err, identomat.ErrSessionNotFound):
	case errors.Is(err, identomat.ErrInvalidKey):
		t.Error("ErrInvalidKey instead of ErrSessionNotFound")
	default:
		t.Error(err)
	}
	var apiErr *identomat.APIError
	require.ErrorAs(t, err, &apiErr)
	assert.Equal(t, []any{"result/", 200, "session-not-found", "", ""}, []any{apiErr.Operation, apiErr.StatusCode, apiErr.Code, apiErr.Group, apiErr.Message()})

	canceled, cancel := context.WithCancel(ctx)
	cancel()
	_, err = client.Sessions.Result(canceled, session.Token)
	var sendErr *identomat.TransportError
	require.ErrorAs(t, err, &sendErr)
	assert.Equal(t, []any{"result/", 0, false}, []any{sendErr.Operation, sendErr.Attempts, sendErr.MaybeProcessed})

	_, err = client.Sessions.Begin(ctx, identomat.BeginRequest{Steps: identomat.Steps{
		identomat.Liveness(), identomat.Email(),
		identomat.UserQuestionnaire("q").Ask(identomat.RadioQuestion("r", identomat.Text{"en": "?"})),
	}})
	var badReq *identomat.ValidationError
	require.ErrorAs(t, err, &badReq)
	assert.Equal(t, "steps[2].questions[0].options", badReq.Problems[0].Path)
}

func TestWrongCompanyKeyIsErrInvalidKey(t *testing.T) {
	server := identomattest.NewServer(t)
	client, err := identomat.NewClient("another-company-key", identomat.WithWidgetURL(server.WidgetURL), identomat.WithAPIURL(server.APIURL))
	require.NoError(t, err)
	_, err = client.Sessions.Begin(t.Context(), identomat.BeginRequest{})
	require.ErrorIs(t, err, identomat.ErrInvalidKey)
	_, err = client.Sessions.Result(t.Context(), token)
	require.ErrorIs(t, err, identomat.ErrInvalidKey)
	_, err = client.Sessions.Delete(t.Context(), token)
	require.ErrorIs(t, err, identomat.ErrInvalidKey)
}

func TestServerThatRequiresSignatures(t *testing.T) {
	server := identomattest.NewServer(t, identomattest.RequireHMAC())
	client := server.Client(identomat.WithHMAC(server.SecretKey, identomat.RequireSignedResponses()))
	session, err := client.Sessions.Begin(t.Context(), identomat.BeginRequest{})
	require.NoError(t, err)
	server.Fault("result/", identomattest.WrongSignature(), 1)
	_, err = client.Sessions.Result(t.Context(), session.Token)
	require.ErrorIs(t, err, identomat.ErrSignatureMismatch)
	server.Fault("result/", identomattest.MissingSignature(), 1)
	_, err = client.Sessions.Result(t.Context(), session.Token)
	require.ErrorIs(t, err, identomat.ErrSignatureMismatch)
	result, err := client.Sessions.Result(t.Context(), session.Token)
	require.NoError(t, err)
	assert.Equal(t, identomat.OutcomeInProgress, result.Outcome)

	unsigned, err := identomat.NewClient(server.CompanyKey, identomat.WithWidgetURL(server.WidgetURL), identomat.WithAPIURL(server.APIURL))
	require.NoError(t, err)
	require.ErrorIs(t, getResult(unsigned, t.Context()), identomat.ErrInvalidKey)
}
