package identomat

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/identomat-go/identomat/internal/operation"
)

// ScreeningService searches sanctions lists, regulatory lists and lists of politically exposed persons,
// and monitors people. (API reference, AML Screening.)
//
// [ScreeningService.Search], [ScreeningService.SearchPage], [ScreeningService.Person] and
// [ScreeningService.Monitor] may be billed, depending on your contract. Only Monitor is not retried
// after a lost response, because a second search changes nothing at Identomat. To make sure
// that no search is repeated, use a client whose [RetryPolicy] has MaxAttempts 1.
type ScreeningService struct{ client *Client }

// ScreeningTopic is a reason for being in the screening databases. Known topics have the spelling of the
// constants, whatever their case on the wire; other topics are kept as they are.
type ScreeningTopic string

// The topics in the API reference's glossary. The glossary capitalizes every word, but the responses seen
// capitalize only the first; the constants follow the responses.
const (
	// TopicSanctionedEntity: a government has forbidden certain dealings with the person or company.
	TopicSanctionedEntity ScreeningTopic = "Sanctioned entity"
	// TopicSanctionLinkedEntity: directly tied to a sanctioned entity, or a direct or indirect subsidiary
	// of one, however small the stake.
	TopicSanctionLinkedEntity ScreeningTopic = "Sanction-linked entity"
	// TopicCounterSanctionedEntity: on the sanctions list of an undemocratic country, like many
	// activists, journalists and human rights defenders.
	TopicCounterSanctionedEntity ScreeningTopic = "Counter-sanctioned entity"
	// TopicDebarredEntity: excluded from public procurement, mostly for fraud.
	TopicDebarredEntity ScreeningTopic = "Debarred entity"
	// TopicPolitician: a politically exposed person (PEP), in office now or before. The glossary adds
	// "(Politically Exposed Persons)", which the SDK removes.
	TopicPolitician ScreeningTopic = "Politician"
	// TopicCloseAssociate: a relative or important business partner of a PEP.
	TopicCloseAssociate ScreeningTopic = "Close associate"
	// TopicPersonOfInterest: under public scrutiny, but neither a PEP nor sanctioned.
	TopicPersonOfInterest ScreeningTopic = "Person of interest"
	// TopicRegulatorAction: a company against which its regulator has acted.
	TopicRegulatorAction ScreeningTopic = "Regulator action"
	// TopicRegulatorWarning: a company on a regulator's list of warnings.
	TopicRegulatorWarning ScreeningTopic = "Regulator warning"

	// TopicWantedPerson is in a response in the API reference, but not in its glossary.
	TopicWantedPerson ScreeningTopic = "Wanted person"
)

var screeningTopics = []ScreeningTopic{
	TopicSanctionedEntity, TopicSanctionLinkedEntity, TopicCounterSanctionedEntity, TopicDebarredEntity, TopicPolitician,
	TopicCloseAssociate, TopicPersonOfInterest, TopicRegulatorAction, TopicRegulatorWarning, TopicWantedPerson,
}

func screeningTopic(text string) ScreeningTopic {
	if i := slices.Index(screeningTopics, ScreeningTopic(text)); i >= 0 {
		return screeningTopics[i] // the constant retains no part of the response
	}
	name, _, _ := strings.Cut(text, " (Politically")
	for _, topic := range screeningTopics {
		if strings.EqualFold(name, string(topic)) {
			return topic
		}
	}
	return ScreeningTopic(text)
}

// ScreeningQuery describes whom to search for. FullName and ScoreThreshold are required.
type ScreeningQuery struct {
	private

	// FullName is the name of the person or company.
	FullName string `json:"fullName"`
	// BirthdayTimeFrom is the earliest birthday, a date in ISO 8601 with or without a time, such as
	// "1990-05-14". It is sent unchanged; an empty date sets no bound. For a [Person], use its
	// BirthdayTime. The API reference has no parameter for the latest birthday. It does not say whether
	// an entry matches if its birthday is unknown or only a year, so a search with a birthday can miss
	// hits that a search by name alone finds.
	BirthdayTimeFrom Date `json:"birthdayTimeFrom,omitzero"`
	// ScoreThreshold is the lowest score of a hit. The API reference requires an integer and names no
	// bounds; its example requests 80, and its example response has a hit with the score 100. Validation
	// requires 1 to 100, which are the SDK's own bounds. It rejects 0, so that a search that may be billed
	// does not go out with a forgotten threshold.
	ScoreThreshold int `json:"scoreThreshold"`
	// Extra holds members of the query that this SDK does not know, keyed by wire name.
	Extra map[string]any `json:",inline"`
}

// ScreeningHit is an entry in the screening databases that resembles the query.
type ScreeningHit struct {
	record

	// Score says how well the entry called Name matches the query, up to 100.
	Score float64 `json:"score" wire:"required"`
	Name  string  `json:"name"`
	// PersonID is the id of the entry; see [ScreeningService.Person]. EntityType is "person" in all
	// responses seen.
	PersonID   string `json:"personId"`
	EntityType string `json:"entityType"`
	// Topics are the reasons why the entry is in the databases.
	Topics []ScreeningTopic `json:"topics" wire:"strict"`
}

// Extra returns, keyed by path, the hit's members that this SDK does not know or whose type is wrong.
func (h *ScreeningHit) Extra() map[string]json.RawMessage { return codec.Extra(h.raw, h) }

// UnmarshalJSON decodes a hit, such as a recorded one.
func (h *ScreeningHit) UnmarshalJSON(data []byte) error { return codec.Unmarshal(data, h) }

func (h *ScreeningHit) complete(bool) error {
	if h.PersonID == "" && h.Name == "" {
		return errors.New("a hit without a person")
	}
	for i, topic := range h.Topics {
		h.Topics[i] = screeningTopic(string(topic))
	}
	return nil
}

// Search finds people and companies in the screening databases with search-screening-person, 100 hits at
// a time. If nobody is found, there are no hits and no error. It makes a call for every 100 hits, and
// another call that finds no more, because the response has no total; each may be billed. To make
// exactly one call, use [ScreeningService.SearchPage]; a loop that breaks makes no further calls.
//
// An error ends the iteration. If the service returns the same full page for every offset, the error is
// [ErrUnexpectedResponse], because hits may be missing.
func (s *ScreeningService) Search(ctx context.Context, query ScreeningQuery) iter.Seq2[ScreeningHit, error] {
	// A person can have several hits, one for each name.
	key := func(h ScreeningHit) [2]string { return [...]string{h.PersonID, h.Name} }
	return pages(operation.ScreeningSearch, key, func(offset int) (*Page[ScreeningHit], error) {
		hits, err := s.SearchPage(ctx, query, offset, pageSize)
		return &Page[ScreeningHit]{Data: hits, Total: -1}, err
	})
}

// SearchPage returns one page of [ScreeningService.Search]. The parameter offset is the number of hits
// to skip; limit is the maximum number to return. If limit is 0, the service's own limit applies, which
// is not documented. The response does not say how many hits there are in total. Errors: as for Search.
func (s *ScreeningService) SearchPage(ctx context.Context, query ScreeningQuery, offset, limit int) ([]ScreeningHit, error) {
	return do[[]ScreeningHit](ctx, s.client, operation.ScreeningSearch, &searchParams{query, offset, limit})
}

type searchParams struct {
	Query  ScreeningQuery `json:"query"`
	Offset int            `json:"offset"`
	Limit  int            `json:"limit,omitzero"`
}

func (s *searchParams) validate(_ *operation.Operation, p *problems) {
	p.requireText("query.fullName", s.Query.FullName)
	p.requireISO("query.birthdayTimeFrom", s.Query.BirthdayTimeFrom)
	p.require(s.Query.ScoreThreshold >= 1 && s.Query.ScoreThreshold <= 100, "query.scoreThreshold",
		"must be set, from 1 to 100, such as 80")
	p.require(s.Offset >= 0, "offset", "must not be negative")
	p.require(s.Limit >= 0, "limit", "must not be negative")
}

// ScreeningPerson is everything that the screening databases hold about an entry. Absent fields are zero.
type ScreeningPerson struct {
	record

	// In all responses seen, EntityType is "person" and Gender is "male".
	EntityType string `json:"entityType"`
	// FirstName, MiddleName and LastName are the name in the entry.
	FirstName  string `json:"firstName"`
	MiddleName string `json:"middleName"`
	LastName   string `json:"lastName"`
	Gender     string `json:"gender"`
	// BirthdayTime is a date without a time in all responses seen.
	BirthdayTime Date `json:"birthdayTime"`
	// Nationality has two letters in all responses seen, unlike the country codes of documents.
	Nationality string `json:"nationality"`
	// ExtraDetails holds the profile, positions, sanctions and whatever else is known.
	ExtraDetails []ScreeningGroup `json:"extraDetails" wire:"strict"`
}

// ScreeningGroup is a group of details about a person.
type ScreeningGroup struct {
	private
	// Name is "Profile", "Position occupied" or "Sanctions" in all responses seen.
	Name string `json:"groupName"`
	// Details are the entries of the group.
	Details []ScreeningDetail `json:"details" wire:"strict"`
}

// ScreeningDetail is one detail, such as a position or an entry of a sanctions list.
type ScreeningDetail struct {
	private
	// Name is the name of the person, the position or the authority.
	Name string `json:"detailName"`
	// Properties describe the detail.
	Properties []ScreeningProperty `json:"properties" wire:"strict"`
}

// ScreeningProperty is a property of a detail.
type ScreeningProperty struct {
	private
	// Name says what the property is, such as "Position", "Alias", "Start Date" or "Source Url".
	Name string `json:"propertyName"`
	// Values are texts, whatever the Type. For a date, Date(v).Time() parses the text.
	Values []string `json:"value" wire:"strict"`
	// Type says how to interpret the values.
	Type PropertyType `json:"type"`
}

// PropertyType says how to interpret the values of a property. Types other than the constants may occur.
type PropertyType string

// The types in all responses seen.
const (
	PropertyList   PropertyType = "list"
	PropertyString PropertyType = "string"
	PropertyDate   PropertyType = "date"
	PropertyURL    PropertyType = "url"
)

// Extra returns, keyed by path, the response's members that this SDK does not know or whose type is
// wrong.
func (p *ScreeningPerson) Extra() map[string]json.RawMessage { return codec.Extra(p.raw, p) }

// UnmarshalJSON decodes a person, such as a recorded one.
func (p *ScreeningPerson) UnmarshalJSON(data []byte) error { return codec.Unmarshal(data, p) }

func (p *ScreeningPerson) complete(bool) error {
	if p.EntityType == "" && p.FirstName == "" && p.LastName == "" && len(p.ExtraDetails) == 0 {
		return errors.New("a person without a name, a type or details")
	}
	return nil
}

// Person returns everything about a hit (personId), such as names, positions, aliases and sanctions,
// with get-screening-person-details. The API reference shows no response for an unknown id.
func (s *ScreeningService) Person(ctx context.Context, personID string) (*ScreeningPerson, error) {
	return do[*ScreeningPerson](ctx, s.client, operation.ScreeningPerson, personParams{personID})
}

type personParams struct {
	ID string `json:"personId"`
}

func (q personParams) validate(_ *operation.Operation, p *problems) { p.requireText("personId", q.ID) }

// MonitorQuery describes whom to monitor. Only FullName is required.
type MonitorQuery struct {
	private

	// FullName is required. The API reference calls it the last name, but its example has a full name.
	FullName string `json:"fullName"`
	// BirthdayTimeFrom is the same as in [ScreeningQuery].
	BirthdayTimeFrom Date `json:"birthdayTimeFrom,omitzero"`
	// Extra holds members of the query that this SDK does not know, keyed by wire name.
	Extra map[string]any `json:",inline"`
}

// Monitor starts to monitor a person with monitor-screening-query, and returns the id of the monitored
// query for [ScreeningService.Unmonitor]. The call is retried only when the service certainly did not
// process it. If MaybeProcessed is true for an error, call Monitor again: [ErrAlreadyExists] means that
// the person is monitored. Find the id with [ScreeningService.ListMonitored]. Errors: [ErrAlreadyExists]
// for a person who is already monitored.
func (s *ScreeningService) Monitor(ctx context.Context, query MonitorQuery) (string, error) {
	id, err := do[recordID](ctx, s.client, operation.ScreeningMonitor, queryParams[*MonitorQuery]{&query})
	return string(id), err
}

func (q *MonitorQuery) validate(_ *operation.Operation, p *problems) {
	p.requireText("query.fullName", q.FullName)
	p.requireISO("query.birthdayTimeFrom", q.BirthdayTimeFrom)
}

// Unmonitor stops monitoring a query with remove-screening-query-from-monitoring. The id is the one that
// [ScreeningService.Monitor] returned. The API reference documents no error code.
func (s *ScreeningService) Unmonitor(ctx context.Context, id string) error {
	return exec(ctx, s.client, operation.ScreeningUnmonitor, recordParams{id})
}

// MonitoredFilter selects monitored queries; the zero value selects all.
type MonitoredFilter struct {
	private

	// Date excludes older records; the zero time excludes none. It is sent in UTC with milliseconds.
	// Identomat does not document which time of a record it compares.
	Date time.Time `json:"date,omitzero"`
	// Extra holds parameters that this SDK does not know, keyed by wire name.
	Extra map[string]any `json:",inline"`
}

// MonitoredRecord is a monitored query.
type MonitoredRecord struct {
	record

	// ID is for [ScreeningService.Unmonitor].
	ID string `json:"id" wire:"required"`
	// FullName is as given in the [MonitorQuery].
	FullName string `json:"fullName"`
	// LastUpdatedDate is when the query last had news, or empty if it never had any.
	LastUpdatedDate Date `json:"lastUpdatedDate"`
}

// Extra returns, keyed by path, the record's members that this SDK does not know or whose type is wrong.
func (r *MonitoredRecord) Extra() map[string]json.RawMessage { return codec.Extra(r.raw, r) }

// UnmarshalJSON decodes a record, such as one stored with Raw.
func (r *MonitoredRecord) UnmarshalJSON(data []byte) error { return codec.Unmarshal(data, r) }

// ListMonitored lists the monitored queries with list-screening-monitoring-records, 100 at a time. An
// error ends the iteration. If the service returns the same page for every start although there are more
// records, the error is [ErrUnexpectedResponse]. The API reference documents no error code.
func (s *ScreeningService) ListMonitored(ctx context.Context, filter MonitoredFilter) iter.Seq2[MonitoredRecord, error] {
	key := func(r MonitoredRecord) string { return r.ID }
	return pages(operation.ScreeningMonitored, key, func(start int) (*Page[MonitoredRecord], error) {
		return s.ListMonitoredPage(ctx, filter, start, pageSize)
	})
}

// ListMonitoredPage returns one page of [ScreeningService.ListMonitored] with the total. The parameter
// start is the number of records to skip; limit is the maximum number to return. If limit is 0, the
// service's own limit applies, which is 50 in the API reference's example. Errors: as for ListMonitored.
func (s *ScreeningService) ListMonitoredPage(ctx context.Context, filter MonitoredFilter, start, limit int) (*Page[MonitoredRecord], error) {
	return do[*Page[MonitoredRecord]](ctx, s.client, operation.ScreeningMonitored, &monitoredParams{start, limit, filter})
}

type monitoredParams struct {
	Start int `json:"start"`
	Limit int `json:"limit,omitzero"`
	MonitoredFilter
}

func (m *monitoredParams) validate(_ *operation.Operation, p *problems) {
	p.require(m.Start >= 0, "start", "must not be negative")
	p.require(m.Limit >= 0, "limit", "must not be negative")
}
