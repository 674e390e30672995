package identomatotel_test

import (
	"context"
	"log"
	"net/http"
	"time"

	"go.opentelemetry.io/otel"

	"github.com/identomat-go/identomat"
	identomatotel "github.com/identomat-go/identomat/otel"
)

func Example() {
	observe, err := identomatotel.Observer(otel.GetTracerProvider(), otel.GetMeterProvider())
	if err != nil {
		log.Fatal(err)
	}
	client, err := identomat.NewClientFromEnv(identomat.WithObserver(observe))
	if err != nil {
		log.Fatal(err)
	}

	callbacks, err := identomat.CallbackHandler([]string{"callback-api-key"}, func(context.Context, identomat.Callback) error {
		return nil // record that the session has news
	})
	if err != nil {
		log.Fatal(err)
	}
	callbacks, err = identomatotel.CountCallbacks(otel.GetMeterProvider(), callbacks)
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("/identomat", callbacks)

	err = identomatotel.ObserveStatus(otel.GetMeterProvider(), func(context.Context) (identomatotel.Status, error) {
		// Read the figures from your database.
		return identomatotel.Status{Unclear: 0, OldestOpen: 4 * time.Minute, Budget: 500}, nil
	})
	if err != nil {
		log.Fatal(err)
	}
	_, _ = client.Sessions.Result(context.Background(), "the session's token")
}
