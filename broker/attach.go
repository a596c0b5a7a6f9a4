package broker

import (
	"fmt"

	"entrepot/protocol/amqp"
	"entrepot/protocol/amqp/wire"
	"entrepot/queue"
)

// An attachment is a link on its way to become an endpoint: its name may have to
// be given up by another link, and its queue may have to be made. Until then the
// engine remembers the peer's flows.
//
// Owner: the connection's owner.
type attachment struct {
	conn  *conn
	link  *amqp.Link
	want  *wire.Attach // what the peer asked for; nil when it is answered
	name  *nameHolder
	ended bool
}

// attached begins to answer a link that the client attaches.
func (c *conn) attached(l *amqp.Link) {
	a := &attachment{conn: c, link: l, want: l.PeerAttach()}
	l.Data = a
	if err := a.check(); err != nil {
		a.refuse(err)
		return
	}
	c.attaching[a] = struct{}{}
	a.claimName()
}

// check says what this broker can't do for a link at all.
func (a *attachment) check() *amqp.Error {
	w := a.want
	switch {
	case w.Coordinator != nil:
		return linkError(wire.CondNotImplemented, "attach.target: transactions are not supported")
	case a.sender() && w.Source == nil, !a.sender() && w.Target == nil:
		return linkError(wire.CondInvalidField, "attach.%s: is null: there is no terminus to attach to", a.side())
	case a.sender() && w.Source.Dynamic, !a.sender() && w.Target.Dynamic:
		return linkError(wire.CondNotImplemented, "attach.%s.dynamic: dynamic nodes are not supported", a.side())
	}
	address := a.address()
	if !address.Set || address.V == "" {
		return linkError(wire.CondInvalidField, "attach.%s.address: an address is needed", a.side())
	}
	if err := queue.ValidateName(address.V); err != nil {
		return linkError(wire.CondInvalidField, "attach.%s.address: %v", a.side(), err)
	}
	if a.sender() {
		if mode := w.Source.DistributionMode; mode != "" && mode != wire.DistributionMove && mode != wire.DistributionCopy {
			return linkError(wire.CondNotImplemented, "attach.source.distribution-mode: %q is not known", string(mode))
		}
	}
	return nil
}

// sender: our end sends.
func (a *attachment) sender() bool { return a.link.Sender() }

func (a *attachment) side() string {
	if a.sender() {
		return "source"
	}
	return "target"
}

func (a *attachment) address() wire.Opt[string] {
	if a.sender() {
		return a.want.Source.Address
	}
	return a.want.Target.Address
}

// claimName waits for the link's name, then goes on.
func (a *attachment) claimName() {
	c := a.conn
	key := linkKey{container: c.container, name: a.link.Name(), sending: a.sender()}
	holder, now := c.broker.names.claim(key,
		func() { c.post(a.stolen) },
		func() { c.post(a.openAddress) })
	a.name = holder
	if now {
		a.openAddress()
	}
}

// stolen: another link wants this one's name, whatever it has become by now.
func (a *attachment) stolen() {
	switch e := a.link.Data.(type) {
	case *attachment:
		if !a.ended {
			a.link.Refuse(stolenError())
			a.abandon()
		}
	case interface{ expelled() }:
		e.expelled()
	}
}

// openAddress finds or makes the queue, then goes on.
func (a *attachment) openAddress() {
	if a.ended {
		return
	}
	c := a.conn
	c.opening++
	c.broker.directory.open(a.address().V, func(addr *address, err *amqp.Error) {
		if !c.post(func() { a.opened(addr, err) }) && addr != nil {
			c.broker.directory.release(addr)
		}
	})
}

func (a *attachment) opened(addr *address, err *amqp.Error) {
	a.conn.opening--
	switch {
	case a.ended:
		if addr != nil {
			a.conn.broker.directory.release(addr)
		}
	case err != nil:
		a.refuse(err)
	case a.sender():
		a.becomeConsumer(addr)
		a.end()
	default:
		a.becomeProducer(addr)
		a.end()
	}
}

func (a *attachment) becomeProducer(addr *address) {
	c := a.conn
	p := &producer{conn: c, link: a.link, addr: addr, name: a.name, meanSize: 1024}
	p.slot = c.newSlot(p)
	a.link.Data = p
	target := *a.want.Target
	target.Capabilities = []wire.Symbol{capabilityQueue}
	a.link.Accept(amqp.AcceptOptions{Target: &target, MaxMessageSize: c.limits.maxMessageSize})
	addr.addProducer(p)
	addr.shard.producers.Add(1)
	c.broker.metrics.linksIn.Add(1)
	c.schedule(p)
}

func (a *attachment) becomeConsumer(addr *address) {
	c := a.conn
	source := *a.want.Source
	s := &consumer{
		conn: c, link: a.link, addr: addr, name: a.name,
		id:        c.broker.nextConsumer(),
		browse:    source.DistributionMode == wire.DistributionCopy,
		byDefault: source.DefaultOutcome,
		demand:    demand{mean: firstMean},
	}
	if s.byDefault.Kind == wire.StateNone {
		s.byDefault = wire.DeliveryState{Kind: wire.StateReleased}
	}
	if source.DistributionMode == "" {
		source.DistributionMode = wire.DistributionMove
	}
	source.Filter = nil // "the filter that is in place": none yet
	source.DefaultOutcome = s.byDefault
	source.Outcomes = queueOutcomes
	source.Capabilities = []wire.Symbol{capabilityQueue}
	s.slot = c.newSlot(s)
	a.link.Data = s
	a.link.Accept(amqp.AcceptOptions{Source: &source})
	addr.consumers.Add(1)
	c.broker.metrics.linksOut.Add(1)
	s.attach(0)
	c.schedule(s)
}

const capabilityQueue wire.Symbol = "queue"

// queueOutcomes are what a consumer may say.
var queueOutcomes = []wire.Symbol{
	"amqp:accepted:list", "amqp:rejected:list", "amqp:released:list", "amqp:modified:list",
}

func (a *attachment) refuse(err *amqp.Error) {
	a.link.Refuse(err)
	a.conn.faulted(err)
	a.abandon()
}

// abandon ends an attachment that came to nothing.
func (a *attachment) abandon() {
	if a.ended {
		return
	}
	a.end()
	a.link.Data = nil
	a.conn.broker.names.release(a.name)
}

func (a *attachment) end() {
	a.ended, a.want = true, nil // its name's holder keeps the attachment itself
	delete(a.conn.attaching, a)
}

func linkError(condition wire.Symbol, format string, args ...any) *amqp.Error {
	return &amqp.Error{Scope: amqp.ScopeLink, Condition: condition, Description: fmt.Sprintf(format, args...)}
}

func stolenError() *amqp.Error {
	return linkError(wire.CondStolen, "another link of this name was attached")
}

func deletedError(name string) *amqp.Error {
	return linkError(wire.CondResourceDeleted, "the queue %q was deleted", name)
}
