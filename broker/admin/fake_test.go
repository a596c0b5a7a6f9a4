package admin

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// fake is a broker that is nothing but a list of names.
type fake struct {
	mu      sync.Mutex
	queues  map[string]Queue
	metrics Metrics
	health  error
	ready   error
	cluster *fakeCluster // nil: standalone
	broken  error        // what every queue operation answers with, if set
}

func newFake(names ...string) *fake {
	f := &fake{queues: map[string]Queue{}}
	for _, name := range names {
		f.queues[name] = Queue{Name: name, Messages: 3, Policy: "#"}
	}
	return f
}

func (f *fake) Health() error    { return f.health }
func (f *fake) Ready() error     { return f.ready }
func (f *fake) Metrics() Metrics { return f.metrics }

func (f *fake) Cluster() (Cluster, error) {
	if f.cluster == nil {
		return nil, fmt.Errorf("%w: this node is standalone", ErrConflict)
	}
	return f.cluster, nil
}

func (f *fake) Queues(_ context.Context, prefix, after string, limit int) (Page, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var page Page
	names := []string{}
	for name := range f.queues {
		if strings.HasPrefix(name, prefix) && name > after {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	if len(names) > limit {
		names = names[:limit]
		page.Next = names[limit-1]
	}
	for _, name := range names {
		page.Queues = append(page.Queues, f.queues[name])
	}
	return page, f.broken
}

func (f *fake) Queue(_ context.Context, name string) (Queue, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken != nil {
		return Queue{}, f.broken
	}
	q, ok := f.queues[name]
	if !ok {
		return Queue{}, fmt.Errorf("queue %q: %w", name, ErrNotFound)
	}
	return q, nil
}

func (f *fake) Declare(_ context.Context, name string, d Declaration) (Queue, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken != nil {
		return Queue{}, false, f.broken
	}
	_, existed := f.queues[name]
	q := Queue{Name: name, Policy: "#", Declared: d, Effective: d}
	f.queues[name] = q
	return q, !existed, nil
}

func (f *fake) Delete(ctx context.Context, name string) (uint64, error) {
	q, err := f.Queue(ctx, name)
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.queues, name)
	return q.Messages, err
}

func (f *fake) Purge(ctx context.Context, name string) (uint64, error) {
	q, err := f.Queue(ctx, name)
	return q.Messages, err
}
