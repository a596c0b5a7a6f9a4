package rawamqp

import (
	"context"
	"errors"
	"fmt"

	"entrepot/bench/internal/load"
	"entrepot/protocol/amqp"
	"entrepot/protocol/amqp/wire"
)

// sender keeps its window full, or sends what is due.
type sender struct {
	order    load.Sending
	template *template
	filler   *load.Filler
	link     *amqp.Link

	started  int // messages given to the engine
	inFlight int
	due      []int64 // stamps of messages that should be on their way; only with a rate
	paceOver bool    // nothing more will become due
}

func newSender(order load.Sending) *sender {
	return &sender{order: order, template: newTemplate(order), filler: load.NewFiller(order.Size, order.Body)}
}

func (s *sender) attached(link *amqp.Link) { s.link = link }

func (s *sender) handle(event *amqp.Event, now int64) error {
	if event.Kind != amqp.EventOutcome {
		return nil
	}
	accepted := event.Outcome.State.Kind == wire.StateAccepted
	if !accepted && s.order.Failed == nil {
		return fmt.Errorf("%w: %+v", load.ErrNotAccepted, event.Outcome.State)
	}
	if !event.Outcome.Settled {
		s.link.SettleOut(event.Outcome.ID, wire.DeliveryState{})
	}
	s.inFlight--
	if !accepted {
		s.order.Failed.Add(1)
		return nil
	}
	s.order.Meter.Observe(int64(event.Outcome.Ref), now)
	return nil
}

func (s *sender) turn(stopping bool, flush func() error) (done bool, err error) {
	if stopping || s.allStarted() {
		return s.inFlight == 0, nil
	}
	return false, s.fill(flush)
}

func (s *sender) allStarted() bool {
	counted := s.order.Count > 0 && s.started == s.order.Count
	return counted || s.paceOver && len(s.due) == 0
}

// fill delivers as many messages as order, credit and window allow.
func (s *sender) fill(flush func() error) error {
	unwritten := 0
	for now := load.Now(); s.inFlight < s.order.InFlight && s.link.Ready() > 0 && !s.allStarted(); {
		stamp := now
		if s.order.Rate > 0 {
			if len(s.due) == 0 {
				return nil
			}
			stamp = s.due[0]
			s.due = s.due[1:]
		}
		if err := s.deliver(stamp); err != nil {
			return err
		}
		if unwritten += s.order.Size; unwritten >= writeBytes {
			unwritten = 0
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *sender) deliver(stamp int64) error {
	outgoing := amqp.Outgoing{
		Ref:  uint64(stamp),
		Head: s.template.head(s.started, stamp),
		Body: s.filler.Next(),
	}
	if _, err := s.link.Deliver(&outgoing); err != nil {
		return fmt.Errorf("deliver: %w", err)
	}
	s.started++
	s.inFlight++
	return nil
}

// pace makes messages due until the order's count is reached or ctx ends, and
// sends what the window lets through at once; the pump sends the rest.
func (s *sender) pace(ctx context.Context, c *conn) {
	dueCount := 0
	load.Pace(ctx, s.order.Rate, func(stamp int64) bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		if s.link == nil { // not attached yet: the pace has not begun
			return true
		}
		s.due = append(s.due, stamp)
		dueCount++
		s.paceOver = dueCount == s.order.Count
		if err := errors.Join(s.fill(c.flush), c.flush()); err != nil {
			return false // the pump's read fails too, and reports it
		}
		return !s.paceOver
	})
}
