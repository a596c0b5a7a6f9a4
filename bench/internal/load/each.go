package load

import (
	"context"
	"sync"
)

// Each calls do for every item, in no order, by at most n goroutines at a time.
// The first error cancels what has not begun and is returned; ctx's end is one.
func Each[T any](ctx context.Context, items []T, n int, do func(context.Context, T) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	work := make(chan T)
	var workers sync.WaitGroup
	for range min(n, len(items)) {
		workers.Go(func() {
			for item := range work {
				if ctx.Err() != nil {
					continue
				}
				if err := do(ctx, item); err != nil {
					cancel(err)
				}
			}
		})
	}
	for _, item := range items {
		work <- item
	}
	close(work)
	workers.Wait()
	return context.Cause(ctx)
}
