package identomat_test

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/identomattest"
)

const configID = "679c74e4d9725987e3879265"

func TestSessionConfigRequestAndResponse(t *testing.T) {
	client, mock := mocked(t)
	const name = "get-session-config-default.repaired.json"
	expects(t, mock, "get-session-config", body(`"sessionConfigId": "`+configID+`"`), sample(t, name))
	config, err := client.Sessions.Config(t.Context(), configID)
	require.NoError(t, err)
	assert.Equal(t, []string{configID, "Configuration Template"}, []string{config.ID, config.Name})
	assert.Equal(t, identomat.English, config.General.Language)
	assert.Equal(t, 15, config.General.SessionLifetime)
	require.Len(t, config.Steps, 2)
	assert.IsType(t, identomat.IdentityDocumentStep{}, config.Steps[0])
	assert.IsType(t, identomat.LivenessStep{}, config.Steps[1])
	assert.Equal(t, "select_document_id", config.Steps[0].StepKey())
	title, _ := config.Steps[1].Get("title")
	assert.JSONEq(t, `{"en":"Liveness Check"}`, string(title))
	assert.Contains(t, string(config.Raw()), "residence_permit")

	assertNothingIsDropped(t, "get-session-config", name, 16, func(ctx context.Context, c *identomat.Client) (*identomat.SessionConfig, error) {
		return c.Sessions.Config(ctx, configID)
	})
}

func TestEditedConfigStepsKeepUnknownMembers(t *testing.T) {
	client, mock := mocked(t)
	answers(mock, apiURL+"get-session-config", 200, "application/json", `{"result":{"id":"c1","steps":[
		{"type":"liveness","key":"l","flags":{"liveness":false,"maxLivenessAttempts":3},"unknown":[1.50]},
		{"type":"new-step","key":"n","x":{"y":null}}]}}`)
	config, err := client.Sessions.Config(t.Context(), "c1")
	require.NoError(t, err)
	liveness, ok := config.Steps[0].(identomat.LivenessStep)
	require.True(t, ok)
	config.Steps[0] = liveness.Active(true)

	var sent string
	mock.RegisterResponder("POST", beginURL, capture(&sent, tokenResponse))
	_, err = client.Sessions.Begin(t.Context(), identomat.BeginRequest{ConfigID: config.ID, Steps: config.Steps})
	require.NoError(t, err)
	assert.Equal(t, `{"company_key":"`+companyKey+`","steps":[`+
		`{"type":"liveness","key":"l","flags":{"liveness":true,"maxLivenessAttempts":3},"unknown":[1.50]},`+
		`{"type":"new-step","key":"n","x":{"y":null}}],"config_id":"c1"}`, sent)
}

// Identomat's API documentation allows each of these requests.
func TestBeginAllowsWhatTheDocumentationAllows(t *testing.T) {
	const skip = `"flags":{"skip_face":true,"skip_document":true},`
	verify := func(role identomat.BeneficiaryRole) identomat.BeneficiariesStep {
		return identomat.Beneficiaries().Roles(role.Verify(true))
	}
	no := identomat.Choice("no", identomat.Text{"en": "No"})
	for name, c := range map[string]struct {
		steps    identomat.Steps
		configID string
		want     string
	}{
		"steps without keys": {identomat.Steps{identomat.UserQuestionnaire(""), identomat.Liveness().Key("")}, "",
			skip + `"steps":[{"type":"user-questionnaire"},{"type":"liveness"}]`},
		"shareholders who are individuals": {identomat.Steps{verify(identomat.Shareholder()).KYCConfig("a")}, "",
			skip + `"steps":[{"type":"beneficiaries","key":"beneficiaries","roles":{"shareholder":{"verification":true}},"kycConfigId":"a"}]`},
		"shareholders who are companies": {identomat.Steps{verify(identomat.Shareholder()).KYBConfig("b")}, "",
			skip + `"steps":[{"type":"beneficiaries","key":"beneficiaries","roles":{"shareholder":{"verification":true}},"kybConfigId":"b"}]`},
		"owners under a configuration": {identomat.Steps{verify(identomat.UBO())}, "c",
			`"steps":[{"type":"beneficiaries","key":"beneficiaries","roles":{"ubo":{"verification":true}}}],"config_id":"c"`},
		"shareholders in a call under a configuration": {identomat.Steps{identomat.VideoCall().Steps(verify(identomat.Shareholder()))}, "c",
			`"steps":[{"type":"video-call","key":"video-call","steps":[{"type":"beneficiaries","key":"beneficiaries","roles":{"shareholder":{"verification":true}}}]}],"config_id":"c"`},
		"every question read-only": {identomat.Steps{identomat.UserQuestionnaire("q").Ask(
			identomat.TextQuestion("t", nil).ReadOnly(true), identomat.CheckboxQuestion("c", nil, no).ReadOnly(true),
			identomat.DropdownQuestion("d", nil, identomat.Choice("yes", nil)).ReadOnly(true), identomat.FileQuestion("f", nil).ReadOnly(true),
		)}, "",
			skip + `"steps":[{"type":"user-questionnaire","key":"q","questions":[{"type":"string","key":"t","title":{},"readOnly":true},` +
				`{"type":"multiple-choice","key":"c","title":{},"options":[{"key":"no","title":{"en":"No"}}],"readOnly":true},` +
				`{"type":"dropdown","key":"d","title":{},"options":[{"key":"yes","title":{}}],"readOnly":true},{"type":"file","key":"f","title":{},"readOnly":true}]}]`},
	} {
		client, mock := mocked(t)
		var sent string
		mock.RegisterResponder("POST", beginURL, capture(&sent, tokenResponse))
		_, err := client.Sessions.Begin(t.Context(), identomat.BeginRequest{ConfigID: c.configID, Steps: c.steps})
		require.NoError(t, err, name)
		assert.Equal(t, `{"company_key":"`+companyKey+`",`+c.want+`}`, sent, name)
	}
}

func TestSessionConfigCoercions(t *testing.T) {
	var config identomat.SessionConfig
	require.NoError(t, json.Unmarshal([]byte(`{"id":"c","general":{"sessionLifetime":15.0,"language":"xx","new":{"a":1}},"steps":[],"new":2}`), &config))
	assert.Equal(t, 15, config.General.SessionLifetime)
	assert.Equal(t, identomat.Language("xx"), config.General.Language)
	assert.JSONEq(t, `{"sessionLifetime":15.0,"language":"xx","new":{"a":1}}`, string(config.General.Raw()))
	assert.Contains(t, string(config.Raw()), `"new":2`)
	for _, text := range []string{`{"id":"c"}`, `{"id":"c","general":[],"steps":null,"name":null}`} {
		require.NoError(t, json.Unmarshal([]byte(text), &config))
		assert.Zero(t, config.General.SessionLifetime)
		assert.Empty(t, config.Steps)
	}

	client, mock := mocked(t)
	_, err := client.Sessions.Config(t.Context(), "")
	assertProblems(t, err, "get-session-config", "sessionConfigId")
	assert.Zero(t, mock.GetTotalCallCount())
}

func TestSessionConfigWithFake(t *testing.T) {
	server := identomattest.NewServer(t)
	client, ctx := server.Client(), t.Context()
	_, err := client.Sessions.Config(ctx, "unknown")
	require.ErrorIs(t, err, identomat.ErrWrongParameters)
	config, err := client.Sessions.Config(ctx, configID)
	require.NoError(t, err)
	for i, step := range config.Steps {
		if document, ok := step.(identomat.IdentityDocumentStep); ok {
			config.Steps[i] = document.Types(identomat.Passport)
		}
	}
	session, err := client.Sessions.Begin(ctx, identomat.BeginRequest{ConfigID: config.ID, Steps: config.Steps})
	require.NoError(t, err)
	begun, ok := server.Session(session.Token)
	require.True(t, ok)
	assert.Equal(t, configID, begun.ConfigID)
}

// Begin remembers steps that break no rule. These steps break one only without a configuration.
func TestStepsAreCheckedForEveryKindOfRequest(t *testing.T) {
	sent := 0
	client := stubbed(t, func(*http.Request) (*http.Response, error) {
		sent++
		return newResponse(200, tokenResponse), nil
	})
	request := identomat.BeginRequest{Steps: identomat.Steps{identomat.Beneficiaries().Roles(identomat.UBO().Verify(true))}}
	for range 2 {
		request.ConfigID = "687e0ba12cf633bd323cb0db"
		_, err := client.Sessions.Begin(t.Context(), request)
		require.NoError(t, err)

		request.ConfigID = ""
		_, err = client.Sessions.Begin(t.Context(), request)
		var invalid *identomat.ValidationError
		require.ErrorAs(t, err, &invalid)
		assert.Equal(t, "steps[0].kycConfigId", invalid.Problems[0].Path)
	}
	assert.Equal(t, 2, sent)
}

// Begin checks the flags even if it remembers the steps.
func TestFlagsAreCheckedBesideKnownSteps(t *testing.T) {
	client := stubbed(t, func(*http.Request) (*http.Response, error) { return newResponse(200, tokenResponse), nil })
	request := identomat.BeginRequest{Steps: identomat.Steps{identomat.Liveness()}}
	_, err := client.Sessions.Begin(t.Context(), request)
	require.NoError(t, err)

	request.Flags = identomat.NewFlags().Set("document_countries", []string{"deu"})
	_, err = client.Sessions.Begin(t.Context(), request)
	var invalid *identomat.ValidationError
	require.ErrorAs(t, err, &invalid)
	assert.Equal(t, "flags.document_countries[0]", invalid.Problems[0].Path)
}
