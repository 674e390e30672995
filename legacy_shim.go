package identomat

func (f Flags) text() string                         { b, _ := f.MarshalJSON(); return string(b) }
func (s Steps) text() string                         { b, _ := s.MarshalJSON(); return string(b) }
func newPath(s string) place                         { return newPlace(s) }
func sortedNames[V any](extra map[string]V) []string { return nil }
