package journal

import "sync"

// failure is the first error that a store cannot get over. It stays.
type failure struct {
	hook   func(error)
	failed chan struct{} // closed by the first failure

	mu  sync.Mutex
	err error
}

func newFailure(hook func(error)) *failure {
	return &failure{hook: hook, failed: make(chan struct{})}
}

func (f *failure) get() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// or runs f, which may hang for good in what Pebble gave up (see
// pebbleLogger.Fatalf): the store's failure ends the wait.
func (f *failure) or(do func() error) error {
	done := make(chan error, 1)
	go func() { done <- do() }()
	select {
	case err := <-done:
		return err
	case <-f.failed:
		return f.get()
	}
}

// set keeps err if it is the first, and returns the first.
func (f *failure) set(err error) error {
	f.mu.Lock()
	first := f.err == nil
	if first {
		f.err = err
		close(f.failed)
	}
	err = f.err
	f.mu.Unlock()
	if first && f.hook != nil {
		f.hook(err)
	}
	return err
}
