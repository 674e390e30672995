package identomattest

// DataURI is a way to spell the face photo of get-session-main-document-face-photo.
type DataURI int

type customMedia struct{}
