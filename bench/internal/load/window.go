package load

import "context"

// Slots bounds what a sender has in flight.
type Slots chan struct{}

// NewSlots makes n free slots.
func NewSlots(n int) Slots { return make(Slots, n) }

// Take waits for a free slot; false: ctx has ended.
func (s Slots) Take(ctx context.Context) bool {
	select {
	case s <- struct{}{}:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// Free gives a slot back.
func (s Slots) Free() { <-s }

// Drive calls send once for every message that the order asks for, with the
// message's number and stamp, at the order's rate or as fast as send returns,
// until send fails or ctx ends.
func (s *Sending) Drive(ctx context.Context, send func(i int, stamp int64) error) error {
	var err error
	i := 0
	step := func(stamp int64) bool {
		if s.Count > 0 && i == s.Count {
			return false
		}
		err = send(i, stamp)
		i++
		return err == nil
	}
	if s.Rate > 0 {
		Pace(ctx, s.Rate, step)
		return err
	}
	for ctx.Err() == nil && step(0) {
	}
	return err
}
