package identomat

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// These are examples of steps and roles, without line breaks. (Developer guide 2025, KYB.)
const (
	guideCompanyFields = `[{"type":"companyName","mandatory":true},{"type":"registrationNumber","mandatory":true},{"type":"registrationCountry","mandatory":true},` +
		`{"type":"ownershipPercentage","mandatory":false},{"type":"companyEntityType","mandatory":false},{"type":"legalAddress","mandatory":false},` +
		`{"type":"taxId","mandatory":false},{"type":"dateOfIncorporation","mandatory":false},{"type":"firstName","mandatory":true},` +
		`{"type":"lastName","mandatory":true},{"type":"dateOfBirth","mandatory":true},{"type":"contactNumber","mandatory":false},` +
		`{"type":"email","mandatory":false},{"type":"website","mandatory":false}]`
	guideCompany = `{"type":"company","key":"company","title":{"en":"Company data"},"description":{"en":"Follow the simple steps below"},"fields":` + guideCompanyFields + `}`

	guideShareholder = `"shareholder":{"fields":[{"type":"ownershipPercentage","mandatory":false},{"type":"companyName","mandatory":true},{"type":"companyEntityType","mandatory":false},` +
		`{"type":"registrationNumber","mandatory":true},{"type":"registrationCountry","mandatory":true},{"type":"legalAddress","mandatory":false},{"type":"taxId","mandatory":false},` +
		`{"type":"dateOfIncorporation","mandatory":false},{"type":"firstName","mandatory":true},{"type":"lastName","mandatory":true},{"type":"dateOfBirth","mandatory":true},` +
		`{"type":"contactNumber","mandatory":false},{"type":"email","mandatory":false},{"type":"website","mandatory":false}],"verification":true}`
	guideIndividual = `{"type":"firstName","mandatory":true},{"type":"lastName","mandatory":true},{"type":"dateOfBirth","mandatory":true},`
	guideContact    = `{"type":"email","mandatory":false},{"type":"contactNumber","mandatory":false}],"verification":true}`
	guideUBO        = `"ubo":{"fields":[` + guideIndividual + `{"type":"ownershipPercentage","mandatory":false},` + guideContact
	guideDirector   = `"director":{"fields":[` + guideIndividual + guideContact
	guideRep        = `"representative":{"fields":[` + guideIndividual + guideContact
	guideOther      = `"other":{"fields":[{"type":"positionName","mandatory":true},` + guideIndividual + guideContact

	guideBeneficiaries = `{"type":"beneficiaries","key":"beneficiaries","title":{"en":"Beneficiaries"},"description":{"en":"Enter information about the company's beneficiaries"},` +
		`"roles":{` + guideShareholder + `,` + guideUBO + `,` + guideDirector + `,` + guideRep + `,` + guideOther + `},` +
		`"kycConfigId":"687e0ba12cf633bd323cb0db","kybConfigId":"687e0ba12cf633bd323cb0d2"}`
	guideReview = `{"type":"kyb-review","key":"kyb-review","title":{"en":"Checking the data","es":"Verificando los datos"},` +
		`"description":{"en":"Please check the information below to make sure everything is correct","es":"Por favor revise la información a continuación para asegurarse de que todo esté correcto"}}`
)

func guideKYB() Steps {
	return Steps{
		Company().
			Mandatory(FieldCompanyName, FieldRegistrationNumber, FieldRegistrationCountry).
			Optional(FieldOwnershipPercentage, FieldCompanyEntityType, FieldLegalAddress, FieldTaxID, FieldDateOfIncorporation).
			Mandatory(FieldFirstName, FieldLastName, FieldDateOfBirth).
			Optional(FieldContactNumber, FieldEmail, FieldWebsite).
			Description(Text{"en": "Follow the simple steps below"}).
			Title(Text{"en": "Company data"}),
		Beneficiaries().
			Roles(
				Shareholder().Optional(FieldOwnershipPercentage).Mandatory(FieldCompanyName).Optional(FieldCompanyEntityType).
					Mandatory(FieldRegistrationNumber, FieldRegistrationCountry).Optional(FieldLegalAddress, FieldTaxID, FieldDateOfIncorporation).
					Mandatory(FieldFirstName, FieldLastName, FieldDateOfBirth).Optional(FieldContactNumber, FieldEmail, FieldWebsite).Verify(true),
				UBO().Mandatory(FieldFirstName, FieldLastName, FieldDateOfBirth).
					Optional(FieldOwnershipPercentage, FieldEmail, FieldContactNumber).Verify(true),
				Director().Mandatory(FieldFirstName, FieldLastName, FieldDateOfBirth).Optional(FieldEmail, FieldContactNumber).Verify(true),
				Representative().Mandatory(FieldFirstName, FieldLastName, FieldDateOfBirth).Optional(FieldEmail, FieldContactNumber).Verify(true),
				OtherRole().Mandatory(FieldPositionName, FieldFirstName, FieldLastName, FieldDateOfBirth).Optional(FieldEmail, FieldContactNumber).Verify(true),
			).
			KYCConfig("687e0ba12cf633bd323cb0db").KYBConfig("687e0ba12cf633bd323cb0d2").
			Description(Text{"en": "Enter information about the company's beneficiaries"}).
			Title(Text{"en": "Beneficiaries"}),
		KYBReview().Description(Text{
			"en": "Please check the information below to make sure everything is correct",
			"es": "Por favor revise la información a continuación para asegurarse de que todo esté correcto",
		}).Title(Text{"en": "Checking the data", "es": "Verificando los datos"}),
	}
}

func TestTheGuidesKYBExample(t *testing.T) {
	want := "[" + guideCompany + "," + guideBeneficiaries + "," + guideReview + "]"
	assert.JSONEq(t, want, sent(t, guideKYB()))
	var p problems
	addStepProblems(&p, guideKYB())
	assert.Empty(t, p)

	var decoded Steps
	require.NoError(t, json.Unmarshal([]byte(want), &decoded))
	assert.Equal(t, want, sent(t, decoded))
	assert.IsType(t, CompanyStep{}, decoded[0])
	assert.IsType(t, BeneficiariesStep{}, decoded[1])
	assert.IsType(t, Step{}, decoded[2])
}

func TestKYBMethods(t *testing.T) {
	for _, c := range []stepCase{
		{Company(), `{"type":"company","key":"company"}`},
		{Company().Mandatory(), `{"type":"company","key":"company","fields":[]}`},
		{Company().Optional("newField"), `{"type":"company","key":"company","fields":[{"type":"newField","mandatory":false}]}`},
		{Beneficiaries(), `{"type":"beneficiaries","key":"beneficiaries"}`},
		{Beneficiaries().Roles(), `{"type":"beneficiaries","key":"beneficiaries","roles":{}}`},
		{Beneficiaries().Roles(UBO(), Director().Verify(false)).Roles(OtherRole().Set("limit", 2)),
			`{"type":"beneficiaries","key":"beneficiaries","roles":{"ubo":{},"director":{"verification":false},"other":{"limit":2}}}`},
		{Beneficiaries().Roles(UBO().Verify(true), Representative()).Roles(UBO().Verify(false)),
			`{"type":"beneficiaries","key":"beneficiaries","roles":{"ubo":{"verification":false},"representative":{}}}`},
		{Beneficiaries().KYCConfig("a").KYBConfig("b"), `{"type":"beneficiaries","key":"beneficiaries","kycConfigId":"a","kybConfigId":"b"}`},
		{KYBReview(), `{"type":"kyb-review","key":"kyb-review"}`},
	} {
		assert.Equal(t, "["+c.want+"]", sent(t, Steps{c.step}))
	}
}

func TestDecodedKYBStepsCanBeEdited(t *testing.T) {
	steps := decodeSteps(`[{"type":"company","key":"c","fields":[{"type":"odd","mandatory":"x","more":1.0}]},` +
		`{"type":"beneficiaries","key":"b","roles":{"founder":{"n":1.0}}},{"type":"beneficiaries","key":"d","roles":[]}]`)
	steps[0] = steps[0].(CompanyStep).Mandatory(FieldCompanyName)
	steps[1] = steps[1].(BeneficiariesStep).Roles(Director())
	steps[2] = steps[2].(BeneficiariesStep).Roles(Director())
	assert.Equal(t, `[{"type":"company","key":"c","fields":[{"type":"odd","mandatory":"x","more":1.0},{"type":"companyName","mandatory":true}]},`+
		`{"type":"beneficiaries","key":"b","roles":{"founder":{"n":1.0},"director":{}}},{"type":"beneficiaries","key":"d","roles":{"director":{}}}]`, sent(t, steps))
}

func TestKYBBuildersDoNotChange(t *testing.T) {
	role := Shareholder().Mandatory(FieldCompanyName)
	left, right := role.Optional(FieldEmail), role.Optional(FieldWebsite)
	assert.Equal(t, `{"fields":[{"type":"companyName","mandatory":true}]}`, sent(t, role))
	assert.Equal(t, `{"fields":[{"type":"companyName","mandatory":true},{"type":"email","mandatory":false}]}`, sent(t, left))
	assert.Equal(t, `{"fields":[{"type":"companyName","mandatory":true},{"type":"website","mandatory":false}]}`, sent(t, right))
	step := Beneficiaries().Roles(left)
	_ = step.Roles(right)
	assert.Equal(t, `{"type":"beneficiaries","key":"beneficiaries","roles":{"shareholder":{"fields":[{"type":"companyName","mandatory":true},{"type":"email","mandatory":false}]}}}`, sent(t, step))
}

func TestBeneficiariesAreValidated(t *testing.T) {
	const kyc, either = "must be set, because a role is to be verified", "must be set, or kybConfigId, because shareholders are to be verified"
	cases := []problemCase{
		{"nothing to verify", Steps{Beneficiaries().Roles(Shareholder(), UBO().Verify(false))}, nil},
		{"shareholder without both", Steps{Beneficiaries().Roles(Shareholder().Verify(true))},
			problems{{"steps[0].kycConfigId", either}}},
		{"shareholder without KYB", Steps{Email(), Beneficiaries().Roles(Shareholder().Verify(true)).KYCConfig("a")}, nil},
		{"shareholder without KYC", Steps{Beneficiaries().Roles(Shareholder().Verify(true)).KYBConfig("b")}, nil},
		{"shareholder and UBO without KYC", Steps{Beneficiaries().Roles(UBO().Verify(true), Shareholder().Verify(true)).KYBConfig("b")},
			problems{{"steps[0].kycConfigId", kyc}}},
		{"shareholder and UBO without both", Steps{Beneficiaries().Roles(UBO().Verify(true), Shareholder().Verify(true))},
			problems{{"steps[0].kycConfigId", kyc}}},
		{"empty id", Steps{Beneficiaries().Roles(UBO().Verify(true)).KYCConfig("")}, problems{{"steps[0].kycConfigId", kyc}}},
		{"null id", Steps{Beneficiaries().Roles(UBO().Verify(true)).Set("kycConfigId", nil)}, problems{{"steps[0].kycConfigId", kyc}}},
		{"everything there", Steps{Beneficiaries().Roles(Shareholder().Verify(true), UBO().Verify(true)).KYCConfig("a").KYBConfig("b")}, nil},
		{"in a call", Steps{VideoCall().Steps(Beneficiaries().Roles(UBO().Verify(true)))}, problems{{"steps[0].steps[0].kycConfigId", kyc}}},
		{"as a custom step", Steps{CustomStep("beneficiaries", "b").Set("roles", map[string]any{"ubo": map[string]any{"verification": true}})},
			problems{{"steps[0].kycConfigId", kyc}}},
		{"role without JSON form", Steps{Beneficiaries().Roles(UBO().Set("pipe", make(chan int)))},
			problems{{"steps[0].roles.ubo.pipe", "cannot be encoded as JSON"}}},
	}
	for name, role := range map[string]BeneficiaryRole{
		"ubo": UBO(), "director": Director(), "representative": Representative(), "other": OtherRole(),
	} {
		cases = append(cases,
			problemCase{name + " without KYC", Steps{Beneficiaries().Roles(role.Verify(true)).KYBConfig("b")}, problems{{"steps[0].kycConfigId", kyc}}},
			problemCase{name + " needs no KYB", Steps{Beneficiaries().Roles(role.Verify(true)).KYCConfig("a")}, nil})
	}
	checkProblems(t, cases)
}
