package identomat

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/identomat-go/identomat/internal/operation"
)

// ScreeningService searches sanctions lists, politically exposed persons and regulatory
// lists, and keeps people on monitoring. (API reference, AML Screening.)
type ScreeningService struct{ client *Client }

// ScreeningTopic is why somebody is in the screening databases. Topics of the constants
// come in their spelling, whatever the case on the wire; others are kept as they are.
type ScreeningTopic string

// The topics of the reference's glossary. It capitalizes every word, while replies are
// seen to capitalize the first alone; the constants follow the replies.
const (
	// TopicSanctionedEntity: a government has forbidden certain dealings with the person
	// or company.
	TopicSanctionedEntity ScreeningTopic = "Sanctioned entity"
	// TopicSanctionLinkedEntity: directly tied to a sanctioned entity, or a subsidiary of
	// one at any distance, however small the share in it.
	TopicSanctionLinkedEntity ScreeningTopic = "Sanction-linked entity"
	// TopicCounterSanctionedEntity: on the sanctions list of a country that is no
	// democracy, as activists, journalists and defenders of human rights often are.
	TopicCounterSanctionedEntity ScreeningTopic = "Counter-sanctioned entity"
	// TopicDebarredEntity: excluded from public procurement, mostly for fraud.
	TopicDebarredEntity ScreeningTopic = "Debarred entity"
	// TopicPolitician: a politically exposed person (PEP), in office now or before. The
	// glossary adds "(Politically Exposed Persons)", which is left out when it is read.
	TopicPolitician ScreeningTopic = "Politician"
	// TopicCloseAssociate: the family or an important business partner of a PEP.
	TopicCloseAssociate ScreeningTopic = "Close associate"
	// TopicPersonOfInterest: under public scrutiny, and neither a PEP nor sanctioned.
	TopicPersonOfInterest ScreeningTopic = "Person of interest"
	// TopicRegulatorAction: a company against which a regulator of its trade has acted.
	TopicRegulatorAction ScreeningTopic = "Regulator action"
	// TopicRegulatorWarning: a company on a regulator's list of warnings.
	TopicRegulatorWarning ScreeningTopic = "Regulator warning"

	// TopicWantedPerson is in a reply of the reference and not in its glossary.
	TopicWantedPerson ScreeningTopic = "Wanted person"
)

var screeningTopics = []ScreeningTopic{
	TopicSanctionedEntity, TopicSanctionLinkedEntity, TopicCounterSanctionedEntity, TopicDebarredEntity, TopicPolitician,
	TopicCloseAssociate, TopicPersonOfInterest, TopicRegulatorAction, TopicRegulatorWarning, TopicWantedPerson,
}

func screeningTopic(text string) ScreeningTopic {
	if slices.Contains(screeningTopics, ScreeningTopic(text)) {
		return ScreeningTopic(text)
	}
	name, _, _ := strings.Cut(text, " (Politically")
	for _, topic := range screeningTopics {
		if strings.EqualFold(name, string(topic)) {
			return topic
		}
	}
	return ScreeningTopic(text)
}

// ScreeningQuery says whom to search for. fmt, slog and
// encoding/json show a mask.
type ScreeningQuery struct {
	private

	// FullName is required.
	FullName string
	// BirthdayTimeFrom is where the range of birthdays begins; the zero time is no bound.
	// It is sent in UTC with milliseconds, so give a birthday as midnight in UTC: another
	// zone can move it to the day before. The reference has no end of the range, and does not
	// say what becomes of entries whose birthday is unknown or is only a year: with a person's
	// own birthday a hit can be missed that a search by name alone finds.
	BirthdayTimeFrom time.Time
	// ScoreThreshold is the least score of a hit, from 0, which lets everything pass, to
	// 100. The reference requires an integer and names no bounds; its examples ask for 80
	// and show a hit of the same name with 100.
	ScoreThreshold int
	// Extra holds members of the query that this SDK does not know, by their wire names.
	Extra map[string]any
}

const (
	paramQuery            = "query"
	paramFullName         = "fullName"
	paramBirthdayTimeFrom = "birthdayTimeFrom"
	paramScoreThreshold   = "scoreThreshold"
)

// personQuery is the query that a search and monitoring have in common.
func personQuery(fullName string, from time.Time) members {
	return members{}.and(paramFullName, jsonString(fullName)).andText(paramBirthdayTimeFrom, scheduleTime(from))
}

// ScreeningHit is an entry of the screening databases that resembles the query. fmt, slog and
// encoding/json show a mask.
type ScreeningHit struct {
	private

	// Score tells up to 100 how well the entry fits.
	Score float64 `json:"score"`
	// Name is the name of the entry.
	Name string `json:"name"`
	// PersonID is for [ScreeningService.Person].
	PersonID string `json:"personId"`
	// EntityType is person in the replies seen.
	EntityType string `json:"entityType"`
	// Topics are the reasons why the entry is in the databases.
	Topics []ScreeningTopic `json:"topics"`

	raw json.RawMessage
}

// Raw is the hit as it came. The caller must not write to it.
func (h *ScreeningHit) Raw() json.RawMessage { return h.raw }

// hitList reads the reply to a search: at once if every hit is plain, or else hit by hit,
// which takes several times as long.
type hitList struct{ hits []ScreeningHit }

func (l *hitList) decode(data []byte) error {
	if l.decodePlain(data) {
		return nil
	}
	var reply wrapped[items[ScreeningHit]]
	err := reply.decode(data)
	l.hits = reply.value
	return err
}

// decodePlain reports whether every hit has a score other than 0, somebody whom it is
// about, and topics that are texts, all of the types of their fields.
func (l *hitList) decodePlain(data []byte) bool {
	type fields ScreeningHit // without UnmarshalJSON
	var reply struct {
		Result []fields `json:"result"`
	}
	reply.Result = make([]fields, 0, min(bytes.Count(data, []byte("{")), pageSize))
	if json.Unmarshal(data, &reply) != nil || reply.Result == nil {
		return false
	}
	raw := resultElements(data, len(reply.Result))
	if len(raw) != len(reply.Result) {
		return false
	}
	l.hits = make([]ScreeningHit, len(reply.Result))
	for i, hit := range reply.Result {
		if hit.Score == 0 || hit.PersonID == "" && hit.Name == "" {
			return false
		}
		for t, topic := range hit.Topics {
			if topic == "" {
				return false
			}
			hit.Topics[t] = screeningTopic(string(topic))
		}
		if len(hit.Topics) == 0 {
			hit.Topics = nil // as hit by hit
		}
		hit.raw = raw[i]
		l.hits[i] = ScreeningHit(hit)
	}
	return true
}

// UnmarshalJSON reads a hit. It fails without a score, or if nothing tells who it is.
func (h *ScreeningHit) UnmarshalJSON(data []byte) error {
	type fields ScreeningHit // without UnmarshalJSON
	var hit fields
	if err := decodeObject(data, &hit); err != nil {
		return err
	}
	// These two decide what becomes of a customer, so no spelling of them may get lost.
	var spelt struct {
		Score  looseTexts `json:"score"`
		Topics looseTexts `json:"topics"`
	}
	if err := json.Unmarshal(data, &spelt); err != nil {
		return err
	}
	if hit.PersonID == "" && hit.Name == "" || len(spelt.Score) != 1 {
		return errors.New("identomat: a hit without a person or a score")
	}
	score, err := strconv.ParseFloat(spelt.Score[0], 64)
	if err != nil || math.IsNaN(score) || math.IsInf(score, 0) {
		return errors.New("identomat: a score that is no number")
	}
	hit.Score, hit.Topics, hit.raw = score, nil, bytes.Clone(data)
	for _, topic := range spelt.Topics {
		hit.Topics = append(hit.Topics, screeningTopic(topic))
	}
	*h = ScreeningHit(hit)
	return nil
}

// Search finds people and companies in the screening databases with
// search-screening-person, 100 hits at a time. Nobody found is an empty list and no
// error. (API reference, AML Screening, search-screening-person.)
//
// An error is the last thing that the list yields. A service that answers every offset
// with the same full page is [ErrUnexpectedResponse], because hits may be missing.
//
// Errors: [ValidationError] before anything is sent; [ErrInvalidKey],
// [ErrUnexpectedResponse].
func (s *ScreeningService) Search(ctx context.Context, query ScreeningQuery) iter.Seq2[ScreeningHit, error] {
	// One person can be there under several names.
	key := func(h ScreeningHit) [2]string { return [...]string{h.PersonID, h.Name} }
	return pages(operation.ScreeningSearch, key, func(offset int) ([]ScreeningHit, int, error) {
		hits, err := s.SearchPage(ctx, query, offset, pageSize)
		return hits, -1, err
	})
}

// SearchPage is one page of [ScreeningService.Search]: at most limit hits after the first
// offset ones. A limit of 0 leaves it to the service, which does not document its own;
// the reply tells no total. Errors: as for Search.
func (s *ScreeningService) SearchPage(ctx context.Context, query ScreeningQuery, offset, limit int) ([]ScreeningHit, error) {
	op := operation.ScreeningSearch
	if s.client.validate {
		var p problems
		p.checkText("query.fullName", query.FullName)
		if query.ScoreThreshold < 0 || query.ScoreThreshold > 100 {
			p.add("query.scoreThreshold", "must be from 0 to 100")
		}
		p.checkPage("offset", offset, "limit", limit)
		p.checkExtra(query.Extra, paramFullName, paramBirthdayTimeFrom, paramScoreThreshold)
		if err := p.err(op.Name); err != nil {
			return nil, err
		}
	}
	params := s.client.params().
		and(paramQuery, jsonObject(personQuery(query.FullName, query.BirthdayTimeFrom).
			and(paramScoreThreshold, jsonInt(query.ScoreThreshold)).andExtra(query.Extra))).
		andPage("offset", offset, limit)
	var list hitList
	err := s.client.callAPI(ctx, op, params, &list)
	return list.hits, err
}

// ScreeningPerson is everything that the screening databases tell about an entry. fmt, slog and
// encoding/json show a mask; what is absent is the zero value.
type ScreeningPerson struct {
	private

	// EntityType is person in the replies seen.
	EntityType string `json:"entityType"`
	// FirstName, MiddleName and LastName are the entry's.
	FirstName  string `json:"firstName"`
	MiddleName string `json:"middleName"`
	LastName   string `json:"lastName"`
	// Gender is male in the replies seen.
	Gender string `json:"gender"`
	// BirthdayTime is a date without a time in the replies seen.
	BirthdayTime Date `json:"birthdayTime"`
	// Nationality has two letters in the replies seen, unlike that of documents.
	Nationality string `json:"nationality"`
	// ExtraDetails are the profile, positions, sanctions and whatever else is known.
	ExtraDetails []ScreeningGroup `json:"extraDetails"`

	raw json.RawMessage
}

// ScreeningGroup is a group of details about a person.
type ScreeningGroup struct {
	private
	// Name is Profile, Position occupied or Sanctions in the replies seen.
	Name string `json:"groupName"`
	// Details are the entries of the group.
	Details []ScreeningDetail `json:"details"`
}

// ScreeningDetail is one detail, such as a position or an entry of a sanctions list.
type ScreeningDetail struct {
	private
	// Name is the person, the position or the authority.
	Name string `json:"detailName"`
	// Properties are what is known about it.
	Properties []ScreeningProperty `json:"properties"`
}

// ScreeningProperty is what is known about a detail.
type ScreeningProperty struct {
	private
	// Name is one such as Position, Alias, Start Date or Source Url.
	Name string `json:"propertyName"`
	// Values are texts whatever the type, dates and addresses too: Date(v).Time() reads a
	// date.
	Values []string `json:"value"`
	// Type tells how to read the values.
	Type PropertyType `json:"type"`
}

// PropertyType tells how to read the values of a property. Others may come.
type PropertyType string

// The types seen.
const (
	PropertyList   PropertyType = "list"
	PropertyString PropertyType = "string"
	PropertyDate   PropertyType = "date"
	PropertyURL    PropertyType = "url"
)

// UnmarshalJSON reads a property, also one with a value in place of a list of values.
func (p *ScreeningProperty) UnmarshalJSON(data []byte) error {
	type fields ScreeningProperty // without UnmarshalJSON
	var property fields
	if err := decodeObject(data, &property); err != nil {
		return err
	}
	var spelt struct {
		Value looseTexts `json:"value"`
	}
	if err := json.Unmarshal(data, &spelt); err != nil {
		return err
	}
	property.Values = spelt.Value
	*p = ScreeningProperty(property)
	return nil
}

// Raw is the person as it came. The caller must not write to it.
func (p *ScreeningPerson) Raw() json.RawMessage { return p.raw }

// UnmarshalJSON reads a person. It fails if there is nothing about one in the reply, or
// something else in place of the details.
func (p *ScreeningPerson) UnmarshalJSON(data []byte) error {
	type fields ScreeningPerson // without UnmarshalJSON
	var person fields
	if err := decodeObject(data, &person); err != nil {
		return err
	}
	var details struct {
		List []json.RawMessage `json:"extraDetails"`
	}
	if err := json.Unmarshal(data, &details); err != nil {
		return err
	}
	if person.EntityType == "" && person.FirstName == "" && person.LastName == "" && len(details.List) == 0 {
		return errors.New("identomat: a person without a name, a type or details")
	}
	person.raw = bytes.Clone(data)
	*p = ScreeningPerson(person)
	return nil
}

// Person returns everything about a hit, by its [ScreeningHit.PersonID], with
// get-screening-person-details: names, positions, aliases, sanctions. (API reference, AML
// Screening, get-screening-person-details.)
//
// Errors: [ValidationError] before anything is sent; [ErrInvalidKey],
// [ErrUnexpectedResponse]. What an id that nobody has is answered with is not documented.
func (s *ScreeningService) Person(ctx context.Context, personID string) (*ScreeningPerson, error) {
	op := operation.ScreeningPerson
	if err := s.client.require(op, "personId", personID); err != nil {
		return nil, err
	}
	var person wrapped[ScreeningPerson]
	if err := s.client.callAPI(ctx, op, s.client.params().and("personId", jsonString(personID)), &person); err != nil {
		return nil, err
	}
	return &person.value, nil
}

// MonitorQuery says whom to keep on monitoring. fmt, slog and
// encoding/json show a mask.
type MonitorQuery struct {
	private

	// FullName is required. The reference calls it the last name, and its example has
	// the full one.
	FullName string
	// BirthdayTimeFrom is as in [ScreeningQuery].
	BirthdayTimeFrom time.Time
	// Extra holds members of the query that this SDK does not know, by their wire names.
	Extra map[string]any
}

// Monitor puts a person on monitoring with monitor-screening-query and returns the id of
// the monitored query, which [ScreeningService.Unmonitor] takes. (API reference, AML
// Screening, monitor-screening-query.)
//
// It is sent again only when it is certain that nothing was monitored yet.
//
// Errors: [ValidationError] before anything is sent; [ErrAlreadyExists] for a person who
// is on monitoring; [ErrInvalidKey], [ErrUnexpectedResponse].
func (s *ScreeningService) Monitor(ctx context.Context, query MonitorQuery) (string, error) {
	op := operation.ScreeningMonitor
	if s.client.validate {
		var p problems
		p.checkText("query.fullName", query.FullName)
		p.checkExtra(query.Extra, paramFullName, paramBirthdayTimeFrom)
		if err := p.err(op.Name); err != nil {
			return "", err
		}
	}
	params := s.client.params().
		and(paramQuery, jsonObject(personQuery(query.FullName, query.BirthdayTimeFrom).andExtra(query.Extra)))
	var id wrapped[recordID]
	err := s.client.callAPI(ctx, op, params, &id)
	return string(id.value), err
}

// Unmonitor ends the monitoring of a query with remove-screening-query-from-monitoring,
// by the id that [ScreeningService.Monitor] returned. (API reference, AML Screening,
// remove-screening-query-from-monitoring.)
//
// Errors: [ValidationError] before anything is sent; [ErrInvalidKey],
// [ErrUnexpectedResponse]. The reference documents none of the service's own.
func (s *ScreeningService) Unmonitor(ctx context.Context, id string) error {
	op := operation.ScreeningUnmonitor
	if err := s.client.require(op, "id", id); err != nil {
		return err
	}
	return s.client.callAPI(ctx, op, s.client.params().and("id", jsonString(id)), ignored{})
}

// MonitoredFilter chooses records of monitored queries; the zero value chooses all. fmt, slog and
// encoding/json show a mask.
type MonitoredFilter struct {
	private

	// Date leaves out what is older; the zero time leaves out nothing. Which of a
	// record's times is meant is not documented. It is sent in UTC with milliseconds.
	Date time.Time
	// Extra holds parameters that this SDK does not know, by their wire names.
	Extra map[string]any
}

// MonitoredRecord is a query on monitoring. fmt, slog and
// encoding/json show a mask.
type MonitoredRecord struct {
	private

	// ID is for [ScreeningService.Unmonitor].
	ID string `json:"id"`
	// FullName is that of the [MonitorQuery].
	FullName string `json:"fullName"`
	// LastUpdatedDate is when there was news, empty if there has been none.
	LastUpdatedDate Date `json:"lastUpdatedDate"`

	raw json.RawMessage
}

// Raw is the record as it came. The caller must not write to it.
func (r *MonitoredRecord) Raw() json.RawMessage { return r.raw }

// UnmarshalJSON reads a record. It fails without an id.
func (r *MonitoredRecord) UnmarshalJSON(data []byte) error {
	type fields MonitoredRecord // without UnmarshalJSON
	var record fields
	if err := decodeObject(data, &record); err != nil {
		return err
	}
	if record.ID == "" {
		return errors.New("identomat: a monitored query without an id")
	}
	record.raw = bytes.Clone(data)
	*r = MonitoredRecord(record)
	return nil
}

// ListMonitored lists the queries on monitoring with list-screening-monitoring-records, 100
// at a time. (API reference, AML Screening, list-screening-monitoring-records.)
//
// An error is the last thing that the list yields. A service that answers every start
// with the same page, though there are more records, is [ErrUnexpectedResponse].
//
// Errors: [ValidationError] before anything is sent; [ErrInvalidKey],
// [ErrUnexpectedResponse]. The reference documents none of the
// service's own.
func (s *ScreeningService) ListMonitored(ctx context.Context, filter MonitoredFilter) iter.Seq2[MonitoredRecord, error] {
	key := func(r MonitoredRecord) string { return r.ID }
	return pages(operation.ScreeningMonitored, key, func(start int) ([]MonitoredRecord, int, error) {
		page, err := s.ListMonitoredPage(ctx, filter, start, pageSize)
		if err != nil {
			return nil, 0, err
		}
		return page.Data, page.Total, nil
	})
}

// ListMonitoredPage is one page of [ScreeningService.ListMonitored], with the total: at most limit
// records after the first start ones. A limit of 0 leaves it to the service, which takes
// 50 in the reference's example. Errors: as for ListMonitored.
func (s *ScreeningService) ListMonitoredPage(ctx context.Context, filter MonitoredFilter, start, limit int) (*Page[MonitoredRecord], error) {
	op := operation.ScreeningMonitored
	if s.client.validate {
		var p problems
		p.checkPage("start", start, "limit", limit)
		p.checkExtra(filter.Extra, "companyKey", "start", "limit", "date")
		if err := p.err(op.Name); err != nil {
			return nil, err
		}
	}
	params := s.client.params().andPage("start", start, limit).
		andText("date", scheduleTime(filter.Date)).andExtra(filter.Extra)
	var page wrapped[Page[MonitoredRecord]]
	if err := s.client.callAPI(ctx, op, params, &page); err != nil {
		return nil, err
	}
	return &page.value, nil
}
