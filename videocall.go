package identomat

import (
	"context"

	"github.com/identomat-go/identomat/internal/operation"
)

// VideoCallsService ends video calls and fetches what was recorded of them. (API
// reference, Video call.)
type VideoCallsService struct{ client *Client }

// End ends the video call of a session for the connected user, with end-video-call. (API
// reference, Video call, end-video-call.)
//
// It is sent again after a lost reply.
//
// Errors: [ValidationError] before anything is sent; [ErrInvalidKey],
// [ErrUnexpectedReply]. What a session without a call is answered with is not documented.
func (s *VideoCallsService) End(ctx context.Context, token Token) error {
	op := operation.VideoCallEnd
	body, err := s.client.sessionBody(op, token)
	if err != nil {
		return err
	}
	return s.client.callJSON(ctx, op, body, ignored{})
}
