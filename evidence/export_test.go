package evidence

import (
	"maps"
	"slices"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/internal/operation"
)

// OnStep calls step before every change to the folder. An error makes the change fail.
func OnStep(step func(change, path string) error) Option { return func(o *options) { o.step = step } }

// CollectedOperations are the operations that Collect calls.
func CollectedOperations() map[*operation.Operation]bool {
	all := map[*operation.Operation]bool{operation.SessionResult: true, operation.QuestionFile: true}
	for _, s := range sourcesOf(&identomat.Result{}) {
		all[s.op] = true
	}
	return all
}

// NotCollected are the operations that Collect does not call, with the reasons.
func NotCollected() map[*operation.Operation]string { return maps.Clone(notCollected) }

// TagNames are the names of the files outside data.
func TagNames() []string { return slices.Clone(tagNames) }
