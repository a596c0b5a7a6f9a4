package oracle

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Unreadable says that a consumer of a queue received something that no
// producer can have sent: its body does not parse or its checksum is wrong.
func (o *Oracle) Unreadable(queue string, why error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.blame(Invented, queue, ID{}, "%v", why)
}

// Delivered says that a consumer received a message, and judges it. The answer
// is false for a consumer that has ended: then it must be dropped.
func (o *Oracle) Delivered(d Delivery) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	c := o.consumers[d.Consumer]
	if c == nil || c.gone {
		return false
	}
	m := o.messages[d.ID]
	if m == nil {
		o.blame(Invented, c.queue, d.ID, "nobody sent it")
		return false
	}
	o.report.Delivered++
	o.note(m, delivered, d.Consumer)
	o.judgeExistence(c, m)
	o.judgeOrder(c, m)
	o.judgeTTL(m, d)
	if least := o.failures(c, m); d.DeliveryCount < least {
		o.blame(CountFell, c.queue, d.ID, "delivery-count %d after %d confirmed failures", d.DeliveryCount, least)
	}
	if m.deliveries > 0 {
		o.report.Redelivered++
	}
	m.deliveries++
	o.give(m, c, d.Consumer)
	if m.settle != unsettled && o.weather.cluster {
		m.doubted = true // that settle may still be on its way, or this delivery stale
	}
	if !o.mayBeStale(c, m) {
		m.settle = unsettled // a settle that was in doubt did not happen
	}
	return true
}

// judgeExistence: the message may be here at all.
func (o *Oracle) judgeExistence(c *consumer, m *message) {
	if m.Queue != c.queue {
		o.blame(Invented, c.queue, m.ID, "it was sent to %s", m.Queue)
	}
	if m.state == sendRefused {
		o.blame(Invented, c.queue, m.ID, "the broker had refused it")
	}
	switch {
	case o.mayBeStale(c, m):
		o.report.Stale++
	case m.settle == settleConfirmed:
		o.blame(Resurrected, c.queue, m.ID, "delivery %d after its settle was confirmed", m.deliveries+1)
	}
	if m.holder != 0 && m.heldIn == o.life && !o.weather.disturbed {
		o.blame(Shared, c.queue, m.ID, "consumer %d still has it", m.holder)
	}
}

// judgeOrder: what one producer sent to a queue comes to one consumer in that
// order. An earlier message may come after a later one only if it had gone back
// to its place since all was ordered: it was given back by a consumer, or
// a consumer vanished that may have had it unseen. A restart is no excuse: it
// puts all messages back in their places before the first consumer attaches.
func (o *Oracle) judgeOrder(c *consumer, m *message) {
	highest := c.highest[m.ID.Producer]
	if m.ID.N > highest {
		c.highest[m.ID.Producer] = m.ID.N
		return
	}
	excused := !m.returned.Before(o.ordered) || !o.disrupted[c.queue].Before(o.ordered)
	if !excused && !o.weather.disturbed {
		o.blame(Disorder, c.queue, m.ID, "it came after %d and was never given back; %s",
			highest, o.trailOf(ID{m.ID.Producer, highest}))
	}
}

// judgeTTL: a message comes before its deadline, and the time that its header
// says is left leads to the deadline that its producer set. Only the moment of
// arrival at the broker is in doubt, between Send.At and acceptedAt.
func (o *Oracle) judgeTTL(m *message, d Delivery) {
	if m.TTL == 0 {
		return
	}
	if !d.HasTTL || d.TTL > m.TTL {
		o.blame(Late, m.Queue, m.ID, "sent with ttl %v, came with %v (present: %t)", m.TTL, d.TTL, d.HasTTL)
		return
	}
	if m.state != sendAccepted {
		return
	}
	slack := o.slack + o.weather.delay()
	deadline := m.acceptedAt.Add(m.TTL + slack)
	if d.At.After(deadline) {
		o.blame(Late, m.Queue, m.ID, "it came %v after its deadline", d.At.Sub(deadline)+slack)
	}
	if d.At.Add(d.TTL).After(deadline) {
		o.blame(Late, m.Queue, m.ID, "its deadline has moved by %v", d.At.Add(d.TTL).Sub(deadline)+slack)
	}
}

// Finish judges what never came. REQUIRES: the broker has been drained, and every
// delivery of that was settled and confirmed. drained is the time when that was
// done: a message that was alive even then must have come.
func (o *Oracle) Finish(drained time.Time) Report {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, m := range o.messages {
		switch {
		case m.state == sendUnknown:
			o.report.Unknown++
		case m.settle == settleInDoubt, m.settle == unsettled && m.doubted:
			o.report.InDoubt++
			continue
		}
		if m.state != sendAccepted || m.settle != unsettled || m.MayVanish {
			continue
		}
		// It arrived after Send.At, so it cannot have expired before that + TTL.
		if m.TTL != 0 && !drained.Before(m.At.Add(m.TTL)) {
			o.report.Expired++
			continue
		}
		o.blame(Lost, m.Queue, m.ID, "accepted, delivered %d times, never settled, and gone", m.deliveries)
	}
	return o.soFar()
}

// Interim is what was found until now, without what never came: for a run that is
// given up.
func (o *Oracle) Interim() Report {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.soFar()
}

func (o *Oracle) soFar() Report {
	o.blameTentative()
	r := o.report
	r.Lives = o.life
	r.Counts = maps.Clone(r.Counts)
	r.Violations = slices.Clone(r.Violations)
	return r
}

func (o *Oracle) blame(k Kind, queue string, id ID, format string, args ...any) {
	report := &o.report
	if o.weather.cluster && !o.weather.disturbed && fair[k] {
		report = &o.weather.tentative
	}
	report.add(Violation{Kind: k, Queue: queue, Message: id.String(), Life: o.life, Why: fmt.Sprintf(format, args...), Trail: o.trailOf(id)})
}
