package identomat

import (
	"fmt"
	"io"
	"log/slog"
)

// KYBField is a piece of data that a company or a beneficiary gives. Others than the
// listed ones can be sent; the API takes any of them anywhere.
type KYBField string

// The fields of the Developer guide 2025, KYB. The remarks say where it lists them and
// which of them it calls mandatory; what is sent is up to the caller.
const (
	FieldCompanyName         KYBField = "companyName"         // company, shareholder; mandatory
	FieldRegistrationNumber  KYBField = "registrationNumber"  // company, shareholder; mandatory
	FieldRegistrationCountry KYBField = "registrationCountry" // company, shareholder; mandatory
	FieldCompanyEntityType   KYBField = "companyEntityType"   // company, shareholder; an [EntityType]
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

// EntityType is a legal form of a company, an option of [FieldCompanyEntityType].
type EntityType string

// The legal forms of the Developer guide 2025, Company data step, in its spelling.
const (
	EntityLimitedLiabilityCompany EntityType = "Limited liability company"
	EntityPubliclyListedCompany   EntityType = "Publicly listed company"
	EntitySoleProprietor          EntityType = "Sole proprietor"
	EntityPartnership             EntityType = "Partnership"
	EntityCorporation             EntityType = "Corporation"
	EntityTrust                   EntityType = "Trust"
	EntityPrivateFoundation       EntityType = "Private foundation"
	EntityCharity                 EntityType = "Charity"
	EntityNonprofitOrganization   EntityType = "Nonprofit organization"
	EntityOther                   EntityType = "Other"
)

// CompanyStep collects data of a company; see [Company].
type CompanyStep struct{ stepBase[CompanyStep] }

// Company collects the data of the company that is to be verified. Its key is
// "company". (Developer guide 2025, Company data step.)
func Company() CompanyStep { return newStep[CompanyStep](stepCompany, "company") }

// Description is the text below the title, in several languages. Default a text of the
// service. (Developer guide 2025, Company data step.)
func (s CompanyStep) Description(description Text) CompanyStep {
	return s.with("description", description.json())
}

// Mandatory adds fields that must be filled in, after those added before. (Developer
// guide 2025, Company data step.)
func (s CompanyStep) Mandatory(fields ...KYBField) CompanyStep {
	return s.with("fields", withFields(s.m, fields, true))
}

// Optional adds fields that may be left empty, after those added before. (Developer
// guide 2025, Company data step.)
func (s CompanyStep) Optional(fields ...KYBField) CompanyStep {
	return s.with("fields", withFields(s.m, fields, false))
}

// withFields are the fields of a step or role m and the new ones after them.
func withFields(m members, fields []KYBField, mandatory bool) jsonValue {
	old, _ := m.get("fields").list()
	list := make(values, 0, len(old)+len(fields))
	list = append(list, old...)
	for _, field := range fields {
		m := chain(member{name: "type", value: jsonString(string(field))}, member{name: "mandatory", value: jsonBool(mandatory)})
		list = append(list, jsonObject(m))
	}
	return jsonList(list)
}

// BeneficiariesStep collects data of a company's people; see [Beneficiaries].
type BeneficiariesStep struct{ stepBase[BeneficiariesStep] }

// Beneficiaries collects the data of the people and companies behind the company. Its
// key is "beneficiaries". (Developer guide 2025, Beneficiaries step.)
func Beneficiaries() BeneficiariesStep {
	return newStep[BeneficiariesStep](stepBeneficiaries, "beneficiaries")
}

// Description is the text below the title, in several languages. Default none.
// (Developer guide 2025, Beneficiaries step.)
func (s BeneficiariesStep) Description(description Text) BeneficiariesStep {
	return s.with("description", description.json())
}

// Roles adds roles to be filled. A role that the step already has is replaced.
// (Developer guide 2025, Beneficiaries step.)
func (s BeneficiariesStep) Roles(roles ...BeneficiaryRole) BeneficiariesStep {
	all, _ := s.m.get("roles").object()
	for _, role := range roles {
		all = all.set(role.name, jsonObject(role.m))
	}
	return s.with("roles", jsonObject(all))
}

// KYCConfig is the id of the configuration with which individuals are verified. It is
// needed as soon as one role has Verify. Default none. (Developer guide 2025,
// Beneficiaries step; on the wire it is kycConfigId.)
func (s BeneficiariesStep) KYCConfig(id string) BeneficiariesStep {
	return s.with("kycConfigId", jsonString(id))
}

// KYBConfig is the id of the configuration with which companies are verified. It is
// needed when the shareholder has Verify. Default none. (Developer guide 2025,
// Beneficiaries step; on the wire it is kybConfigId.)
func (s BeneficiariesStep) KYBConfig(id string) BeneficiariesStep {
	return s.with("kybConfigId", jsonString(id))
}

// roleShareholder is the one role that a company can have.
const roleShareholder = "shareholder"

// BeneficiaryRole is what is asked of the holders of one role: [Shareholder], [UBO],
// [Director], [Representative], [OtherRole]. A role never changes: its methods return a
// new one. The zero value is no role, and is refused by validation.
type BeneficiaryRole struct {
	name string
	wireObject
}

// Shareholder is an owner of the company, an individual or another company. (Developer
// guide 2025, Role: Shareholder.)
func Shareholder() BeneficiaryRole { return BeneficiaryRole{name: roleShareholder} }

// UBO is a person who in the end owns or controls the company. (Developer guide 2025,
// Role: UBOs.)
func UBO() BeneficiaryRole { return BeneficiaryRole{name: "ubo"} }

// Director is a person on the company's board. (Developer guide 2025,
// Role: Director.)
func Director() BeneficiaryRole { return BeneficiaryRole{name: "director"} }

// Representative is a person who may act for the company. (Developer guide
// 2025, Role: Representative.)
func Representative() BeneficiaryRole { return BeneficiaryRole{name: "representative"} }

// OtherRole is any other individual; [FieldPositionName] asks what they do. (Developer
// guide 2025, Role: Other.)
func OtherRole() BeneficiaryRole { return BeneficiaryRole{name: "other"} }

// Mandatory adds fields that must be filled in, after those added before. (Developer
// guide 2025, Beneficiaries step.)
func (r BeneficiaryRole) Mandatory(fields ...KYBField) BeneficiaryRole {
	return r.with("fields", withFields(r.m, fields, true))
}

// Optional adds fields that may be left empty, after those added before. (Developer
// guide 2025, Beneficiaries step.)
func (r BeneficiaryRole) Optional(fields ...KYBField) BeneficiaryRole {
	return r.with("fields", withFields(r.m, fields, false))
}

// Verify starts a verification of every holder of the role: individuals with the
// step's KYCConfig, companies with its KYBConfig. Default false. (Developer guide 2025,
// Beneficiaries step; on the wire it is verification.)
func (r BeneficiaryRole) Verify(verify bool) BeneficiaryRole {
	return r.with("verification", jsonBool(verify))
}

// Set sets any parameter of the role by its wire name.
func (r BeneficiaryRole) Set(name string, value any) BeneficiaryRole {
	return r.with(name, freeze(value))
}

func (r BeneficiaryRole) with(name string, value jsonValue) BeneficiaryRole {
	return BeneficiaryRole{r.name, wireObject{r.m.set(name, value)}}
}

// Format writes the name of the role under every verb.
func (r BeneficiaryRole) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, r.name) }

// LogValue is the name of the role.
func (r BeneficiaryRole) LogValue() slog.Value { return slog.StringValue(r.name) }

// KYBReviewStep shows the collected data once more; see [KYBReview].
type KYBReviewStep struct{ stepBase[KYBReviewStep] }

// KYBReview shows the data of the company and its beneficiaries, to be corrected before
// it is submitted. Its key is "kyb-review". (Developer guide 2025, Review step.)
func KYBReview() KYBReviewStep { return newStep[KYBReviewStep](stepKYBReview, "kyb-review") }

// Description is the text below the title, in several languages. Default none.
// (Developer guide 2025, Review step.)
func (s KYBReviewStep) Description(description Text) KYBReviewStep {
	return s.with("description", description.json())
}

// checkBeneficiaries adds a problem for every configuration that the roles of the
// beneficiaries step m need and that is not named.
func checkBeneficiaries(p *problems, at place, m members) {
	roles, _ := m.get("roles").object()
	var verified, shareholder bool
	for role := roles.newest(); role != nil; role = role.older.newest() {
		if role.name == "" {
			p.addAt(at.member("roles"), "must not hold a role without a name")
		}
		r, _ := role.value.object()
		if r.get("verification").isTrue() {
			verified = true
			shareholder = shareholder || role.name == roleShareholder
		}
	}
	if verified && m.str("kycConfigId") == "" {
		p.addAt(at.member("kycConfigId"), "must be set, a role is to be verified")
	}
	if shareholder && m.str("kybConfigId") == "" {
		p.addAt(at.member("kybConfigId"), "must be set, shareholders are to be verified")
	}
}
