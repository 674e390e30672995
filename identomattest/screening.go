package identomattest

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// screeningEntry is an entry in the screening databases. All entries are invented.
type screeningEntry struct {
	id         string
	name       string
	aliases    []string
	entityType string
	birthday   string // ISO date, or "" if unknown
	topics     []string
	// details is the result of get-screening-person-details.
	details string
}

var screeningList = []screeningEntry{
	{
		id: "67137933a2176f0797f1e601", name: "John SMITH", aliases: []string{"John Doe Smith"}, entityType: "person",
		birthday: "1952-10-07", topics: []string{"Sanctioned entity", "Politician"},
		details: `{
			"entityType": "person", "firstName": "John", "middleName": "Doe", "lastName": "Smith",
			"gender": "male", "birthdayTime": "1952-10-07", "nationality": "US",
			"extraDetails": [
				{"groupName": "Profile", "details": [{"detailName": "John Doe Smith", "properties": [
					{"propertyName": "Position", "value": ["Minister of Invented Affairs (2012-)", "chairperson"], "type": "list"},
					{"propertyName": "Name", "value": ["John Doe Smith", "约翰·多·史密斯", "Джон Доу Сміт"], "type": "list"},
					{"propertyName": "Alias", "value": ["John Smith"], "type": "list"}
				]}]},
				{"groupName": "Position occupied", "details": [{"detailName": "Minister", "properties": [
					{"propertyName": "Name", "value": ["Minister of Invented Affairs"], "type": "string"},
					{"propertyName": "Start Date", "value": ["1999-08-16"], "type": "date"},
					{"propertyName": "Status", "value": ["active"], "type": "string"}
				]}]},
				{"groupName": "Sanctions", "details": [{"detailName": "Office of Invented Sanctions", "properties": [
					{"propertyName": "Start Date", "value": ["2022-02-28"], "type": "date"},
					{"propertyName": "Program", "value": [""], "type": "string"},
					{"propertyName": "Source Url", "value": ["https://sanctions.example/list/1"], "type": "url"}
				]}]}
			]
		}`,
	},
	{
		id: "67137933a2176f0797f1e602", name: "John SMITH", entityType: "person",
		birthday: "1983-04-21", topics: []string{"Person of interest"},
		details: `{
			"entityType": "person", "firstName": "John", "middleName": "", "lastName": "Smith",
			"gender": "male", "birthdayTime": "1983-04-21", "nationality": "GB", "extraDetails": []
		}`,
	},
	{
		id: "67137933a2176f0797f1e603", name: "Jane SMITH", entityType: "person",
		birthday: "1961-01-30", topics: []string{"Close Associate"},
		details: `{
			"entityType": "person", "firstName": "Jane", "middleName": "", "lastName": "Smith",
			"gender": "female", "birthdayTime": "1961-01-30", "nationality": "US", "extraDetails": []
		}`,
	},
	{
		id: "67137933a2176f0797f1e604", name: "Viktor Invented EXAMPLOV", aliases: []string{"Viktor Examplov"}, entityType: "person",
		birthday: "1970-07-07", topics: []string{"Sanctioned entity", "Wanted person", "Person of interest", "Politician"},
		details: `{
			"entityType": "person", "firstName": "Viktor", "middleName": "Invented", "lastName": "Examplov",
			"gender": "male", "birthdayTime": "1970-07-07", "nationality": "XX", "extraDetails": []
		}`,
	},
	{
		id: "67137933a2176f0797f1e605", name: "Smith Invented Trading LLC", entityType: "company",
		topics: []string{"Sanction-linked Entity"},
		details: `{
			"entityType": "company", "firstName": "", "middleName": "", "lastName": "Smith Invented Trading LLC",
			"extraDetails": [{"groupName": "Profile", "details": [{"detailName": "Smith Invented Trading LLC", "properties": [
				{"propertyName": "Country", "value": ["XX"], "type": "string"}
			]}]}]
		}`,
	},
	{
		id: "67137933a2176f0797f1e606", name: "Bank of Nowhere", entityType: "company",
		topics: []string{"Debarred Entity", "Regulator Action"},
		details: `{
			"entityType": "company", "firstName": "", "middleName": "", "lastName": "Bank of Nowhere", "extraDetails": []
		}`,
	},
}

// score returns 100 if one of the entry's names has the same words as the query in any order, and less
// for each word that only one of them has.
func score(query string, e screeningEntry) int {
	best := 0
	for _, name := range append([]string{e.name}, e.aliases...) {
		a, b := strings.Fields(strings.ToLower(query)), strings.Fields(strings.ToLower(name))
		common := 0
		for _, word := range a {
			if i := slices.Index(b, word); i >= 0 {
				common++
				b[i] = ""
			}
		}
		best = max(best, 200*common/(len(a)+len(b)))
	}
	return best
}

// isoTime parses an ISO 8601 date or time, except for week dates.
func isoTime(s string) (time.Time, bool) {
	for _, date := range []string{"2006-01-02", "20060102", "2006-01", "2006", "2006-002", "2006002"} {
		for _, clock := range []string{"", "T15:04:05Z07:00", "T15:04:05Z0700", "T15:04:05", "T15:04", "T150405Z0700", "T150405"} {
			if t, err := time.Parse(date+clock, s); err == nil {
				return t, true
			}
		}
	}
	return time.Time{}, false
}

func (s *Server) searchScreening(c *call) response {
	query := c.params.child("query")
	threshold := query.integer("scoreThreshold", -1)
	if threshold < 0 || threshold > 100 {
		return refuse(wrongParameters, "query.scoreThreshold is not between 0 and 100")
	}
	from, dated := time.Time{}, query.text("birthdayTimeFrom") != ""
	if dated {
		var ok bool
		if from, ok = isoTime(query.text("birthdayTimeFrom")); !ok {
			return refuse(wrongParameters, "query.birthdayTimeFrom is not an ISO 8601 time")
		}
	}
	type hit struct {
		score int
		entry screeningEntry
	}
	var hits []hit
	for _, e := range screeningList {
		birthday, known := isoTime(e.birthday)
		if dated && known && birthday.Before(from) {
			continue
		}
		if n := score(query.text("fullName"), e); n > 0 && n >= threshold {
			hits = append(hits, hit{n, e})
		}
	}
	slices.SortStableFunc(hits, func(a, b hit) int { return cmp.Compare(b.score, a.score) })
	hits, ok := pageOf(hits, c.params.integer("offset", 0), c.params.integer("limit", 100))
	if !ok {
		return refuse(wrongParameters, "offset or limit is negative")
	}
	out := []any{}
	for _, h := range hits {
		out = append(out, object{
			{"score", h.score},
			{"name", h.entry.name},
			{"personId", h.entry.id},
			{"entityType", h.entry.entityType},
			{"topics", h.entry.topics},
		})
	}
	return resultResponse(out)
}

// pageOf returns a page of a list. It returns false if offset or limit is negative.
func pageOf[T any](list []T, offset, limit int) ([]T, bool) {
	if offset < 0 || limit < 0 {
		return nil, false
	}
	list = list[min(offset, len(list)):]
	return list[:min(limit, len(list))], true
}

func (s *Server) screeningPerson(c *call) response {
	i := slices.IndexFunc(screeningList, func(e screeningEntry) bool { return e.id == c.params.text("personId") })
	if i < 0 {
		return refuse(wrongParameters, "unknown personId")
	}
	return resultResponse(mustObject(screeningList[i].details))
}

// monitoredQuery is a query that is being monitored.
type monitoredQuery struct {
	id       string
	fullName string
	birthday string
	added    time.Time
	updated  time.Time // zero if never
}

func (s *Server) monitorScreening(c *call) response {
	query := c.params.child("query")
	m := &monitoredQuery{id: s.newID(), fullName: query.text("fullName"), birthday: query.text("birthdayTimeFrom"), added: s.now()}
	if m.birthday != "" {
		t, ok := isoTime(m.birthday)
		if !ok {
			return refuse(wrongParameters, "query.birthdayTimeFrom is not an ISO 8601 time")
		}
		m.birthday = wireTime(t)
	}
	for _, other := range c.company.monitoring {
		if strings.EqualFold(other.fullName, m.fullName) && other.birthday == m.birthday {
			return refuse(alreadyExists, "the query is already monitored")
		}
	}
	c.company.monitoring = append(c.company.monitoring, m)
	return resultResponse(m.id)
}

func (s *Server) unmonitorScreening(c *call) response {
	i := slices.IndexFunc(c.company.monitoring, func(m *monitoredQuery) bool { return m.id == c.params.text("id") })
	if i < 0 {
		return refuse(wrongParameters, "no monitored query has this id")
	}
	c.company.monitoring = slices.Delete(c.company.monitoring, i, i+1)
	return jsonResponse(object{})
}

// UpdateMonitored updates a monitored query now: it sets the record's lastUpdatedDate. An unknown id is
// an error, which also fails the test given to [NewServer].
func (s *Server) UpdateMonitored(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.companies {
		for _, m := range c.monitoring {
			if m.id == id {
				m.updated = s.now()
				return nil
			}
		}
	}
	return s.misuse("UpdateMonitored: no monitored query has the id %q", id)
}

// listMonitored filters by the time of the last update, or, without updates, by the time when
// monitoring began.
func (s *Server) listMonitored(c *call) response {
	start, limit := c.params.integer("start", 0), c.params.integer("limit", 50)
	var after time.Time
	if date := c.params.text("date"); date != "" {
		var ok bool
		if after, ok = isoTime(date); !ok {
			return refuse(wrongParameters, "date is not an ISO 8601 time")
		}
	}
	var matching []*monitoredQuery
	for _, m := range c.company.monitoring {
		changed := m.added
		if m.updated.After(changed) {
			changed = m.updated
		}
		if after.IsZero() || changed.After(after) {
			matching = append(matching, m)
		}
	}
	total := len(matching)
	matching, ok := pageOf(matching, start, limit)
	if !ok {
		return refuse(wrongParameters, "start or limit is negative")
	}
	data := []any{}
	for _, m := range matching {
		record := object{{"fullName", m.fullName}, {"id", m.id}}
		if !m.updated.IsZero() {
			record = append(record, member{"lastUpdatedDate", wireTime(m.updated)})
		}
		data = append(data, record)
	}
	return resultResponse(object{{"start", start}, {"limit", limit}, {"total", total}, {"data", data}})
}
