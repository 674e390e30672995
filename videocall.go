package identomat

import (
	"context"
	"iter"

	"github.com/identomat-go/identomat/internal/operation"
)

// VideoCallsService ends video calls and fetches what was recorded of them. (API
// reference, Video call.)
type VideoCallsService struct{ client *Client }

// Shots fetches the shots that were taken in a session's video calls, as tar archives (see
// [Media.Files]), with POST get-video-call-shots. (API reference, Video call.) They come one
// after the other, as those of [MediaService.VisualMarkers] do.
//
// Errors: [ValidationError] before anything is sent; [ErrSessionNotFound],
// [ErrInvalidKey].
func (s *VideoCallsService) Shots(ctx context.Context, token Token) iter.Seq2[*Media, error] {
	return s.client.sessionItems(ctx, operation.VideoCallShots, token)
}

// Videos fetches the recordings of a session's video calls, as a tar archive (see
// [Media.Files]), with POST get-video-call-videos. (API reference, Video call.)
//
// Errors: [ValidationError] before anything is sent; [ErrSessionNotFound], [ErrNotFound]
// if there is none, [ErrInvalidKey].
func (s *VideoCallsService) Videos(ctx context.Context, token Token) (*Media, error) {
	op := operation.VideoCallVideos
	body, err := s.client.sessionBody(op, token)
	if err != nil {
		return nil, err
	}
	return s.client.media(ctx, op, "application/json", body)
}

// End ends the video call of a session for the connected user, with end-video-call. (API
// reference, Video call, end-video-call.)
//
// It is sent again after a lost reply.
//
// Errors: [ValidationError] before anything is sent; [ErrInvalidKey],
// [ErrUnexpectedResponse]. What a session without a call is answered with is not documented.
func (s *VideoCallsService) End(ctx context.Context, token Token) error {
	op := operation.VideoCallEnd
	body, err := s.client.sessionBody(op, token)
	if err != nil {
		return err
	}
	return s.client.callJSON(ctx, op, body, ignored{})
}
