package identomattest

import "slices"

// blacklistRecord is a record in the blacklist.
type blacklistRecord struct {
	id         string
	attributes [5]string // in the order of blacklistAttributes
	reason     string
}

// blacklistAttributes are the attributes that identify a person. A record needs at least one.
var blacklistAttributes = [5]string{"firstName", "lastName", "documentNumber", "personalNumber", "birthday"}

// addBlacklistRecord refuses a record with the same attributes as another, even if the reasons differ.
func (s *Server) addBlacklistRecord(c *call) response {
	query := c.params.child("query")
	record := blacklistRecord{id: s.newID(), reason: query.text("reason")}
	identified := false
	for i, name := range blacklistAttributes {
		value := query.text(name)
		if name == "birthday" && value != "" {
			t, ok := isoTime(value)
			if !ok {
				return refuse(wrongParameters, "query.birthday is not an ISO 8601 date")
			}
			value = wireTime(t)
		}
		record.attributes[i] = value
		identified = identified || value != ""
	}
	if !identified {
		return refuse(wrongParameters, "the query has no attribute that identifies a person")
	}
	for _, other := range c.company.blacklist {
		if other.attributes == record.attributes {
			return refuse(alreadyExists, "the person is already on the blacklist")
		}
	}
	c.company.blacklist = append(c.company.blacklist, record)
	return resultResponse(record.id)
}

func (s *Server) removeBlacklistRecord(c *call) response {
	i := slices.IndexFunc(c.company.blacklist, func(b blacklistRecord) bool { return b.id == c.params.text("id") })
	if i < 0 {
		return refuse(notFound, "no record has this id")
	}
	c.company.blacklist = slices.Delete(c.company.blacklist, i, i+1)
	return resultResponse(true)
}

func (s *Server) listBlacklistRecords(c *call) response {
	query := c.params.child("query")
	offset, limit := query.integer("offset", 0), query.integer("limit", 100)
	list, ok := pageOf(c.company.blacklist, offset, limit)
	if !ok {
		return refuse(wrongParameters, "query.offset or query.limit is negative")
	}
	data := []any{}
	for _, b := range list {
		record := object{}
		for i, name := range blacklistAttributes {
			var value any
			if b.attributes[i] != "" {
				value = b.attributes[i]
			}
			record = append(record, member{name, value})
		}
		data = append(data, append(record, object{{"notes", nil}, {"reason", b.reason}, {"id", b.id}}...))
	}
	return resultResponse(object{{"offset", offset}, {"limit", limit}, {"total", len(c.company.blacklist)}, {"data", data}})
}
