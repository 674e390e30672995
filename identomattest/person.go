package identomattest

import (
	"fmt"
	"strings"
	"time"
)

// Person is a person whose identity a session verifies. The fields are those of [identomat.Person], with
// dates as [time.Time]. Empty fields are absent from the result.
type Person struct {
	FirstName string
	LastName  string
	// The local names are in the country's script. Locale is part of the document's field names, such
	// as ka_GE in Given_Names_ka_GE.
	LocalFirstName  string
	LocalLastName   string
	LocalMiddleName string
	Locale          string

	Birthday    time.Time
	BirthPlace  string
	Sex         string // M or F
	Nationality string // three letters, like IssuingState and Citizenship
	Citizenship string

	PersonalNumber  string
	DocumentNumber  string
	DocumentIssued  time.Time
	DocumentExpires time.Time
	IssuingState    string
	Authority       string

	Address     string
	Email       string
	PhoneNumber string
}

// Built-in people. All are invented.
var (
	// JohnSmith is the default person.
	JohnSmith = Person{
		FirstName: "John", LastName: "Smith",
		Birthday: day(1980, 1, 8), BirthPlace: "USA", Sex: "M", Nationality: "USA", Citizenship: "USA",
		PersonalNumber: "123456789", DocumentNumber: "AB0002261",
		DocumentIssued: day(2021, 6, 28), DocumentExpires: day(2031, 6, 28), IssuingState: "USA",
		Address: "123 Main St, Los Angeles, CA 90001, USA",
		Email:   "john.smith@example.com", PhoneNumber: "+12025550143",
	}
	// GeorgianPerson also has names in Georgian script.
	GeorgianPerson = Person{
		FirstName: "Nino", LastName: "Beridze",
		LocalFirstName: "ნინო", LocalLastName: "ბერიძე", LocalMiddleName: "გიორგის ასული", Locale: "ka_GE",
		Birthday: day(1992, 11, 3), BirthPlace: "TBILISI", Sex: "F", Nationality: "GEO",
		PersonalNumber: "01008012345", DocumentNumber: "19IB51205",
		DocumentIssued: day(2019, 5, 21), DocumentExpires: day(2029, 5, 21), IssuingState: "GEO",
		Authority: "Ministry of Justice of Georgia",
		Address:   "12 Rustaveli Avenue, Tbilisi, Georgia",
		Email:     "nino.beridze@example.com", PhoneNumber: "+995555010203",
	}
	// GermanPerson has a name with letters outside ASCII and no personal number.
	GermanPerson = Person{
		FirstName: "Jürgen", LastName: "Größmann",
		Birthday: day(1975, 12, 31), BirthPlace: "KÖLN", Sex: "M", Nationality: "DEU",
		DocumentNumber: "L01X00T47",
		DocumentIssued: day(2022, 2, 1), DocumentExpires: day(2032, 1, 31), IssuingState: "DEU",
		Authority: "Stadt Köln",
		Address:   "Hauptstraße 5, 50667 Köln, Germany",
		Email:     "juergen.groessmann@example.com", PhoneNumber: "+4915112345678",
	}
)

func day(year int, month time.Month, d int) time.Time {
	return time.Date(year, month, d, 0, 0, 0, 0, time.UTC)
}

// usDate formats a date in the service's short form: month first, without leading zeros.
func usDate(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format("1/2/2006")
}

func isoDate(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return wireTime(t)
}

// present returns the members that are not empty strings.
func present(o object) object {
	out := object{}
	for _, m := range o {
		if m.value != "" {
			out = append(out, m)
		}
	}
	return out
}

func (p Person) fullName() string { return strings.TrimSpace(p.FirstName + " " + p.LastName) }

// cardFront returns the fields from the front of an identity card.
func (p Person) cardFront() object {
	return present(object{
		{"Given_Names_en_US", p.FirstName},
		{"Surname_en_US", p.LastName},
		{"Given_Names_" + p.Locale, p.LocalFirstName},
		{"Surname_" + p.Locale, p.LocalLastName},
		{"citizenship", p.Citizenship},
		{"Nationality_Code_en_US", p.Nationality},
		{"Sex_en_US", p.Sex},
		{"Personal_Number_en_US", p.PersonalNumber},
		{"Date_of_Birth_en_US", usDate(p.Birthday)},
		{"Date_of_Expiry_en_US", usDate(p.DocumentExpires)},
		{"Document_Number_en_US", p.DocumentNumber},
		{"Issuing_State_Code_en_US", p.IssuingState},
		{"Date_of_Birth_ISO", isoDate(p.Birthday)},
		{"Date_of_Expiry_ISO", isoDate(p.DocumentExpires)},
		{"localMiddleName", p.LocalMiddleName},
	})
}

// cardBack returns the fields from the back of an identity card.
func (p Person) cardBack() object {
	return present(object{
		{"Date_of_Issue_en_US", usDate(p.DocumentIssued)},
		{"Issuing_State_Code_en_US", p.IssuingState},
		{"Place_of_Birth_en_US", p.BirthPlace},
		{"Authority_en_US", p.Authority},
		{"Date_of_Issued_ISO", isoDate(p.DocumentIssued)},
		{"Given_Names_en_US", p.FirstName},
		{"Surname_en_US", p.LastName},
		{"Nationality_Code_en_US", p.Nationality},
		{"Sex_en_US", p.Sex},
		{"Personal_Number_en_US", p.PersonalNumber},
		{"Date_of_Birth_en_US", usDate(p.Birthday)},
		{"Date_of_Expiry_en_US", usDate(p.DocumentExpires)},
		{"Document_Number_en_US", p.DocumentNumber},
		{"Nationality_en_US", p.Nationality},
		{"Date_of_Birth_ISO", isoDate(p.Birthday)},
		{"Date_of_Expiry_ISO", isoDate(p.DocumentExpires)},
		{"mrz", p.mrz("id")},
	})
}

// record returns the person object of a result.
func (p Person) record(now time.Time, documentType string) object {
	o := present(object{
		{"local_first_name", p.LocalFirstName},
		{"local_last_name", p.LocalLastName},
		{"local_middle_name", p.LocalMiddleName},
		{"first_name", p.FirstName},
		{"last_name", p.LastName},
		{"birthday", usDate(p.Birthday)},
		{"birthday_time", isoDate(p.Birthday)},
		{"age", age(p.Birthday, now)},
		{"citizenship", p.Citizenship},
		{"document_number", p.DocumentNumber},
		{"document_expires", usDate(p.DocumentExpires)},
		{"document_expires_time", isoDate(p.DocumentExpires)},
		{"personal_number", p.PersonalNumber},
		{"issuing_state", p.IssuingState},
		{"sex", p.Sex},
		{"birth_place", p.BirthPlace},
		{"nationality", p.Nationality},
		{"document_issued", usDate(p.DocumentIssued)},
		{"document_issued_time", isoDate(p.DocumentIssued)},
		{"authority", p.Authority},
		{"status", "FIELDS_MATCH"},
		{"mrz", p.mrz(documentType)},
		{"address", p.Address},
	})
	return o
}

// age returns the age in full years, or "" if the birthday is unknown.
func age(birthday, now time.Time) any {
	if birthday.IsZero() {
		return ""
	}
	now = now.UTC()
	years := now.Year() - birthday.Year()
	if now.Month() < birthday.Month() || now.Month() == birthday.Month() && now.Day() < birthday.Day() {
		years--
	}
	return years
}

// mrz returns the machine-readable zone from ICAO 9303: three lines of 30 characters for an identity
// card, two lines of 44 for a passport, and "" for other documents.
func (p Person) mrz(documentType string) string {
	name := mrzText(p.LastName) + "<<" + mrzText(p.FirstName)
	number := fill(mrzText(p.DocumentNumber), 9)
	number += checkDigit(number)
	birth, expiry := p.Birthday.Format("060102"), p.DocumentExpires.Format("060102")
	birth, expiry = birth+checkDigit(birth), expiry+checkDigit(expiry)
	switch documentType {
	case "id":
		optional := fill(mrzText(p.PersonalNumber), 15)
		first := "ID" + fill(p.IssuingState, 3) + number + optional
		sum := checkDigit(number + optional + birth + expiry + strings.Repeat("<", 11))
		second := birth + fill(p.Sex, 1) + expiry + fill(p.Nationality, 3) + strings.Repeat("<", 11) + sum
		return first + "\n" + second + "\n" + fill(name, 30)
	case "passport":
		optional := fill(mrzText(p.PersonalNumber), 14)
		optional += checkDigit(optional)
		return fill("P<"+fill(p.IssuingState, 3)+name, 44) + "\n" +
			number + fill(p.Nationality, 3) + birth + fill(p.Sex, 1) + expiry + optional +
			checkDigit(number+birth+expiry+optional)
	}
	return ""
}

var mrzLetters = strings.NewReplacer("Ä", "AE", "Ö", "OE", "Ü", "UE", "ẞ", "SS", "ß", "SS", "ä", "AE", "ö", "OE", "ü", "UE")

func mrzText(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '<'
	}, strings.ToUpper(mrzLetters.Replace(s)))
}

// fill truncates s to n characters, or pads it with the MRZ's filler.
func fill(s string, n int) string {
	if len(s) >= n {
		return s[:n]
	}
	return s + strings.Repeat("<", n-len(s))
}

func checkDigit(s string) string {
	sum := 0
	for i, r := range s {
		value := 0
		switch {
		case r >= '0' && r <= '9':
			value = int(r - '0')
		case r >= 'A' && r <= 'Z':
			value = int(r-'A') + 10
		}
		sum += value * []int{7, 3, 1}[i%3]
	}
	return fmt.Sprint(sum % 10)
}
