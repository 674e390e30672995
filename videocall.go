package identomat

import (
	"context"
	"iter"

	"github.com/identomat-go/identomat/internal/operation"
)

// VideoCallsService ends video calls and fetches their recordings. (API reference, Video call.) No
// method is known to be billed, and all are retried.
type VideoCallsService struct{ client *Client }

// Shots fetches the pictures taken in a session's video calls with get-video-call-shots, as tar archives
// (see [Media.Files]). The archives arrive one after another, like those of [MediaService.VisualMarkers].
// Errors: [ErrSessionNotFound].
func (s *VideoCallsService) Shots(ctx context.Context, token Token) iter.Seq2[*Media, error] {
	return items(ctx, s.client, operation.VideoCallShots, ofSession(token))
}

// Videos fetches the recordings of a session's video calls with get-video-call-videos, as a tar archive
// (see [Media.Files]). Errors: [ErrSessionNotFound], [ErrNotFound] if there is no recording.
func (s *VideoCallsService) Videos(ctx context.Context, token Token) (*Media, error) {
	return media(ctx, s.client, operation.VideoCallVideos, ofSession(token))
}

// End ends a session's video call for the connected user with end-video-call. The call is retried after a
// lost response. The response for a session without a call is not documented.
func (s *VideoCallsService) End(ctx context.Context, token Token) error {
	return exec(ctx, s.client, operation.VideoCallEnd, ofSession(token))
}
