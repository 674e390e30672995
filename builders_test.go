package identomat

import (
	"cmp"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type inventoryParam struct{ Name string }

// inventory is what Identomat's API documentation lists, from testdata/inventory.json.
type inventory struct {
	GlobalFlags       []inventoryParam `json:"global_flags"`
	UndocumentedFlags []inventoryParam `json:"undocumented_flags"`
	Steps             []struct {
		Type, Key string
		Flags     []inventoryParam
		Params    []inventoryParam
	}
	Questions []struct {
		Type   string
		Params []inventoryParam
	}
	KYBFields []struct{ Type string } `json:"kyb_fields"`
	Enums     map[string][]string
}

func readInventory(t *testing.T) inventory {
	data, err := os.ReadFile("testdata/inventory.json")
	require.NoError(t, err)
	var inv inventory
	require.NoError(t, json.Unmarshal(data, &inv))
	require.NotEmpty(t, inv.GlobalFlags)
	require.NotEmpty(t, inv.UndocumentedFlags)
	require.NotEmpty(t, inv.Steps)
	require.NotEmpty(t, inv.Questions)
	require.NotEmpty(t, inv.KYBFields)
	return inv
}

func names(params []inventoryParam) []string {
	var list []string
	for _, p := range params {
		list = append(list, p.Name)
	}
	return list
}

// everyStep returns one step of every type, with every typed method called.
func everyStep() map[string]AnyStep {
	text := Text{"en": "T"}
	steps := map[string]AnyStep{}
	for _, s := range []AnyStep{
		LanguageSelection(English),
		IdentityDocument().Types(Passport).Countries("GEO").AllowUpload(true).DisableCapture(true),
		Liveness().Active(true).AllowUpload(true),
		ProofOfAddress(UtilityBill),
		SelfieWithID().AllowUpload(true).Require(true),
		Company().Mandatory(FieldCompanyName).Description(text).Title(text),
		Beneficiaries().Roles(UBO()).KYCConfig("a").KYBConfig("b").Description(text).Title(text),
		KYBReview().Description(text).Title(text),
		VideoCall().Steps().ResetSteps(true).HideCameraOption(true).NameRequired(true).MultipleParticipants(true),
		PhoneNumber().Verify(true).Collect(true),
		Email().Verify(true).Collect(true),
		Geolocation().Require(true),
		UserQuestionnaire("u").Ask().SuccessButton(text).Description(text).Title(text),
		OperatorQuestionnaire("o").Ask().Description(text).Title(text),
	} {
		steps[s.StepType()] = s
	}
	return steps
}

// everyQuestion returns one question of every type, with every typed method called.
func everyQuestion() map[string]AnyQuestion {
	text, choice := Text{"en": "T"}, Choice("a", Text{"en": "A"})
	questions := map[string]AnyQuestion{}
	for _, q := range []AnyQuestion{
		TextQuestion("k", text).Answer("x").Mandatory(true).ReadOnly(true).ShowIf("a", "b"),
		CheckboxQuestion("k", text, choice).Answer("a").Mandatory(true).ReadOnly(true).ShowIf("a", "b"),
		RadioQuestion("k", text, choice).Answer("a").Mandatory(true).ReadOnly(true).ShowIf("a", "b"),
		DropdownQuestion("k", text, choice).Multiple(true).Mandatory(true).ShowIf("a", "b"),
		FileQuestion("k", text).Description(text).FileTypes("pdf").MaxFiles(1).Mandatory(true).ShowIf("a", "b"),
		CustomQuestion("boolean", "k").Title(text).Mandatory(true), // only in the System manual
	} {
		questions[q.QuestionType()] = q
	}
	return questions
}

func TestEveryGlobalFlagHasAMethod(t *testing.T) {
	var flags []string
	for _, c := range flagMethods {
		flags = append(flags, memberOrder(t, sent(t, c.flags))...)
	}
	inv := readInventory(t)
	assert.Subset(t, flags, names(inv.GlobalFlags))
	// Set sends undocumented flags. Its comment names them.
	source, err := os.ReadFile("flags.go")
	require.NoError(t, err)
	doc := strings.Join(strings.Fields(strings.ReplaceAll(string(source), "//", "")), " ")
	for _, name := range names(inv.UndocumentedFlags) {
		assert.Contains(t, doc, name)
		assert.NotContains(t, string(source), `"`+name+`"`, "an undocumented flag must have no method")
	}
}

func TestEveryStepTypeFlagAndParameterHasAMethod(t *testing.T) {
	steps := everyStep()
	inv := readInventory(t)
	for _, want := range inv.Steps {
		t.Run(want.Type, func(t *testing.T) {
			step := steps[want.Type]
			require.NotNil(t, step)
			flags, found := step.Get("flags")
			assert.Equal(t, len(want.Flags) > 0, found)
			assert.ElementsMatch(t, names(want.Flags), memberOrder(t, cmp.Or(string(flags), "{}")), "flags")
			data, err := json.Marshal(step)
			require.NoError(t, err)
			assert.Subset(t, memberOrder(t, string(data)), names(want.Params), "parameters")
			if !strings.Contains(want.Key, "client") {
				assert.Equal(t, want.Key, step.StepKey())
			}
		})
	}
	assert.Len(t, steps, len(inv.Steps))
}

func TestEveryQuestionTypeAndParameterHasAMethod(t *testing.T) {
	questions := everyQuestion()
	inv := readInventory(t)
	for _, want := range inv.Questions {
		t.Run(want.Type, func(t *testing.T) {
			q := questions[want.Type]
			require.NotNil(t, q)
			data, err := json.Marshal(q)
			require.NoError(t, err)
			assert.ElementsMatch(t, names(want.Params), memberOrder(t, string(data)))
		})
	}
	assert.Len(t, questions, len(inv.Questions))
}

func TestEveryEnumerationIsComplete(t *testing.T) {
	inv := readInventory(t)
	var fields []string
	for _, f := range inv.KYBFields {
		fields = append(fields, f.Type)
	}
	assert.ElementsMatch(t, fields, plain(
		FieldCompanyName, FieldRegistrationNumber, FieldRegistrationCountry, FieldCompanyEntityType, FieldLegalAddress,
		FieldTaxID, FieldDateOfIncorporation, FieldContactNumber, FieldEmail, FieldWebsite, FieldOwnershipPercentage,
		FieldFirstName, FieldLastName, FieldDateOfBirth, FieldPositionName))
	assert.ElementsMatch(t, inv.Enums["document_types (MAN,G25)"], plain(Passport, IDCard, DriverLicense, ResidenceLicense))
	assert.ElementsMatch(t, inv.Enums["general_document_types G25"], plain(
		UtilityBill, BankStatement, YellowSlip, DriversLicense, VehicleRegistrationCertificate))

	var roles []string
	for _, r := range []BeneficiaryRole{Shareholder(), UBO(), Director(), Representative(), OtherRole()} {
		roles = append(roles, memberOrder(t, rolesOf(Beneficiaries().Roles(r)))...)
	}
	assert.ElementsMatch(t, inv.Enums["KYB roles"], roles)

	var languages []string
	for name, list := range inv.Enums {
		if strings.Contains(name, "language") {
			languages = append(languages, list...)
		}
	}
	slices.Sort(languages)
	languages = slices.DeleteFunc(slices.Compact(languages), func(s string) bool { return s == "etc." })
	assert.ElementsMatch(t, languages, plain(
		English, Georgian, Spanish, Ukrainian, Russian, Uzbek, Italian, Greek, Turkish, Romanian, Arabic, German, Polish,
		Hindi, Bengali, Azerbaijani, Japanese, Portuguese, French, Kazakh, Swedish, Armenian))
}

func plain[T ~string](list ...T) []string {
	var out []string
	for _, s := range list {
		out = append(out, string(s))
	}
	return out
}

func rolesOf(step BeneficiariesStep) string {
	roles, _ := step.Get("roles")
	return string(roles)
}
