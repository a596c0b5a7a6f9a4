package rawamqp

import (
	"context"
	"errors"

	"entrepot/bench/internal/load"
	"entrepot/protocol/amqp"
	"entrepot/protocol/amqp/wire"
)

// receiver accepts whatever comes and renews its credit when half is used up.
type receiver struct {
	order    load.Receiving
	link     *amqp.Link
	received int

	// The deliveries of this turn, which one disposition settles: ids of the only
	// link of a session follow each other.
	unsettled   bool
	first, last amqp.DeliveryID
}

func (r *receiver) attached(link *amqp.Link) {
	r.link = link
	r.renewCredit()
}

var errNoStamp = errors.New("receive: a message without a stamp")

func (r *receiver) handle(event *amqp.Event, now int64) error {
	if event.Kind != amqp.EventDelivery {
		return nil
	}
	stamp, err := stampOf(event.Delivery.Payload)
	if err != nil {
		return err
	}
	r.order.Meter.Observe(stamp, now)
	r.received++
	if !event.Delivery.Settled {
		if !r.unsettled {
			r.first, r.unsettled = event.Delivery.ID, true
		}
		r.last = event.Delivery.ID
	}
	return nil
}

// stampOf finds the stamp in a message with one data section.
func stampOf(message []byte) (int64, error) {
	sections, err := wire.ScanMessage(message)
	if err != nil {
		return 0, err
	}
	body := message[sections.Body.Start:sections.Body.End]
	const vbin8, vbin32 = 0xa0, 0xb0
	switch { // 00 53 75, then the binary's constructor and length
	case len(body) > 5 && body[3] == vbin8:
		body = body[5:]
	case len(body) > 8 && body[3] == vbin32:
		body = body[8:]
	default:
		return 0, errNoStamp
	}
	stamp, ok := load.Stamp(body)
	if !ok {
		return 0, errNoStamp
	}
	return stamp, nil
}

func (r *receiver) turn(stopping bool, _ func() error) (done bool, err error) {
	if r.unsettled {
		r.link.Settle(r.first, r.last, wire.DeliveryState{Kind: wire.StateAccepted}, true)
		r.unsettled = false
	}
	if stopping || r.order.Count > 0 && r.received >= r.order.Count {
		return true, nil
	}
	r.renewCredit()
	return false, nil
}

// renewCredit never asks for more than the order still wants: what came above it
// would count as delivered once more.
func (r *receiver) renewCredit() {
	credit := uint32(r.order.Credit)
	if r.order.Count > 0 {
		credit = min(credit, uint32(r.order.Count-r.received))
	}
	if r.link.Credit() <= credit/2 {
		r.link.GrantTo(credit)
	}
}

// idle is a connection with a receiver that nothing comes to.
type idle struct {
	cancel context.CancelFunc
	attach chan struct{} // closed when the peer has attached
	ended  chan struct{} // closed when the pump has ended; then err is set
	err    error
}

func (i *idle) attached(link *amqp.Link) {
	link.GrantTo(1)
	close(i.attach)
}

func (i *idle) handle(*amqp.Event, int64) error { return nil }

func (i *idle) turn(stopping bool, _ func() error) (bool, error) { return stopping, nil }

// Close ends the connection and returns why it had ended before, if it had.
func (i *idle) Close() error {
	i.cancel()
	<-i.ended
	return i.err
}
