package identomat

import "github.com/identomat-go/identomat/internal/wire"

// KYBField is a piece of data about a company or a beneficiary. Values other than the constants can be
// sent, too. The API accepts any field for the company and for any role.
type KYBField string

// The fields in the Developer guide 2025, KYB. The comment of a field says where the guide lists it and
// whether the guide calls it mandatory. You decide which fields to ask for.
const (
	FieldCompanyName         KYBField = "companyName"         // company, shareholder; mandatory
	FieldRegistrationNumber  KYBField = "registrationNumber"  // company, shareholder; mandatory
	FieldRegistrationCountry KYBField = "registrationCountry" // company, shareholder; mandatory
	FieldCompanyEntityType   KYBField = "companyEntityType"   // company, shareholder
	FieldLegalAddress        KYBField = "legalAddress"        // company, shareholder
	FieldTaxID               KYBField = "taxId"               // company, shareholder
	FieldDateOfIncorporation KYBField = "dateOfIncorporation" // company, shareholder
	FieldContactNumber       KYBField = "contactNumber"       // company, all roles
	FieldEmail               KYBField = "email"               // company, all roles
	FieldWebsite             KYBField = "website"             // company, shareholder
	FieldOwnershipPercentage KYBField = "ownershipPercentage" // shareholder, ubo
	FieldFirstName           KYBField = "firstName"           // individuals; mandatory
	FieldLastName            KYBField = "lastName"            // individuals; mandatory
	FieldDateOfBirth         KYBField = "dateOfBirth"         // individuals; mandatory
	FieldPositionName        KYBField = "positionName"        // other role; mandatory
)

// Company collects the data of the company to verify. Its type and key are "company". Identomat has not
// published how the result represents the data. (Developer guide 2025, Company data step.)
func Company() CompanyStep { return CompanyStep{companyStep} }

// Mandatory appends fields that must be filled in (fields, with mandatory true).
func (s CompanyStep) Mandatory(fields ...KYBField) CompanyStep {
	return CompanyStep{Step{addFields(s.object, fields, true)}}
}

// Optional appends fields that may be left empty (fields, with mandatory false).
func (s CompanyStep) Optional(fields ...KYBField) CompanyStep {
	return CompanyStep{Step{addFields(s.object, fields, false)}}
}

// addFields returns a step or role with more fields.
func addFields(o object, fields []KYBField, mandatory bool) object {
	list := make([]object, len(fields))
	for i, field := range fields {
		list[i] = object{}.set("type", string(field)).set("mandatory", mandatory)
	}
	return object{o.json.Add("fields", '[', appendObjects(nil, list))}
}

// Beneficiaries collects the data of the people and companies behind the company. Its type and key are
// "beneficiaries". Identomat has not published how the result represents the data. (Developer guide
// 2025, Beneficiaries step.)
func Beneficiaries() BeneficiariesStep {
	return BeneficiariesStep{beneficiariesStep}
}

// Roles adds roles (roles). If the step already has the same role, the new one replaces it.
func (s BeneficiariesStep) Roles(roles ...BeneficiaryRole) BeneficiariesStep {
	all := object{wire.ParseObject(s.json.Get("roles"))}
	for _, role := range roles {
		all = all.set(role.name, role)
	}
	return BeneficiariesStep{s.Set("roles", all)}
}

// KYCConfig is the id of the configuration that verifies individuals (kycConfigId).
// [BeneficiaryRole.Verify] requires it, unless the request has a ConfigID; for shareholders, KYBConfig
// suffices. Default: none.
func (s BeneficiariesStep) KYCConfig(id string) BeneficiariesStep {
	return BeneficiariesStep{s.Set("kycConfigId", id)}
}

// KYBConfig is the id of the configuration that verifies companies (kybConfigId). For shareholders,
// [BeneficiaryRole.Verify] requires KYBConfig or KYCConfig, unless the request has a ConfigID. Default:
// none.
func (s BeneficiariesStep) KYBConfig(id string) BeneficiariesStep {
	return BeneficiariesStep{s.Set("kybConfigId", id)}
}

// BeneficiaryRole describes the data to collect about the holders of one role: [Shareholder], [UBO],
// [Director], [Representative], [OtherRole]. It is immutable: its methods return a new role. The zero
// value has no name, and validation rejects it. (Developer guide 2025, Beneficiaries step, Role.)
type BeneficiaryRole struct {
	name string
	object
}

// Shareholder is an owner of the company (shareholder), an individual or another company.
func Shareholder() BeneficiaryRole { return BeneficiaryRole{name: "shareholder"} }

// UBO is an ultimate beneficial owner (ubo): a person who ultimately owns or controls the company.
func UBO() BeneficiaryRole { return BeneficiaryRole{name: "ubo"} }

// Director is a person on the company's board (director).
func Director() BeneficiaryRole { return BeneficiaryRole{name: "director"} }

// Representative is a person who may act for the company (representative).
func Representative() BeneficiaryRole { return BeneficiaryRole{name: "representative"} }

// OtherRole is any other individual (other); [FieldPositionName] asks for the position.
func OtherRole() BeneficiaryRole { return BeneficiaryRole{name: "other"} }

// Mandatory appends fields that must be filled in (fields, with mandatory true).
func (r BeneficiaryRole) Mandatory(fields ...KYBField) BeneficiaryRole {
	return BeneficiaryRole{r.name, addFields(r.object, fields, true)}
}

// Optional appends fields that may be left empty (fields, with mandatory false).
func (r BeneficiaryRole) Optional(fields ...KYBField) BeneficiaryRole {
	return BeneficiaryRole{r.name, addFields(r.object, fields, false)}
}

// Verify verifies every holder of the role (verification), individuals with the step's KYCConfig and
// companies with its KYBConfig. Default: false.
func (r BeneficiaryRole) Verify(on bool) BeneficiaryRole { return r.Set("verification", on) }

// Set sets any parameter of the role by its wire name.
func (r BeneficiaryRole) Set(name string, value any) BeneficiaryRole {
	return BeneficiaryRole{r.name, r.set(name, value)}
}

// KYBReview lets the customer review and correct the data of the company and its beneficiaries. Its type
// and key are "kyb-review". Identomat has not published how the result represents the data. (Developer
// guide 2025, Review step.)
func KYBReview() Step { return kybReviewStep }
