package broker

import (
	"time"

	"entrepot/protocol/amqp"
	"entrepot/protocol/amqp/wire"
	"entrepot/queue"
)

// handleEvents acts on all that the engine has to tell.
func (c *conn) handleEvents() {
	for c.engine.Next(&c.event) {
		c.handle(&c.event)
	}
}

func (c *conn) handle(ev *amqp.Event) {
	switch ev.Kind {
	case amqp.EventDelivery:
		if e := endpointOf(ev.Link); e != nil {
			e.delivery(&ev.Delivery)
		}
	case amqp.EventOutcome:
		if e := endpointOf(ev.Link); e != nil {
			e.outcome(&ev.Outcome)
		}
	case amqp.EventLinkFlow:
		if e := endpointOf(ev.Link); e != nil {
			e.flow()
		}
	case amqp.EventLinkAttached:
		c.attached(ev.Link)
	case amqp.EventLinkDetached:
		c.linkDetached(ev.Link)
	case amqp.EventSessionBegun:
		c.sessions++
		c.broker.metrics.sessions.Add(1)
	case amqp.EventSessionEnded:
		c.sessionEnded(ev.Session)
	case amqp.EventSASLInit:
		c.authenticate(ev.SASL)
	case amqp.EventOpened:
		c.opened(ev.Open)
	case amqp.EventClosed:
		c.logEnd(ev.Err, ev.Remote)
	}
}

func endpointOf(l *amqp.Link) endpoint {
	if e, ok := l.Data.(endpoint); ok {
		return e
	}
	return nil
}

// authenticate checks a login. A password costs tens of milliseconds to check, so
// that is done aside; the engine holds back what the client has pipelined.
func (c *conn) authenticate(s amqp.SASLInit) {
	if s.Mechanism == amqp.MechanismAnonymous {
		c.engine.Authenticate(c.limits.anonymous)
		return
	}
	users := c.broker.users
	go func() {
		ok := users.Verify(s.User, s.Password)
		c.post(func() {
			if ok {
				c.user = s.User
			} else {
				c.log.Warn("login refused", "user", s.User)
			}
			c.engine.Authenticate(ok)
			c.handleEvents()
		})
	}()
}

func (c *conn) opened(open *wire.Open) {
	c.container = open.ContainerID
	if c.broker.stopping.Load() {
		c.closeWith(wire.CondConnectionForced, "the broker is stopping")
		return
	}
	c.engine.Open()
}

// sessionEnded detaches what the session had. Links are not many per session, and
// sessions end seldom, so they are looked for.
func (c *conn) sessionEnded(s *amqp.Session) {
	c.sessions--
	c.broker.metrics.sessions.Add(-1)
	for _, e := range c.slots {
		if e != nil && e.on(s) {
			e.detached()
		}
	}
	for a := range c.attaching {
		if a.link.Session() == s {
			a.abandon()
		}
	}
}

func (c *conn) linkDetached(l *amqp.Link) {
	switch e := l.Data.(type) {
	case endpoint:
		e.detached()
	case *attachment:
		e.abandon()
	}
}

// retrySoon gives a producer another turn in a moment. The journal or the batcher
// is behind, and has nobody to call.
func (c *conn) retrySoon(p *producer) {
	const soon = 5 * time.Millisecond
	time.AfterFunc(soon, func() { c.post(func() { c.schedule(p) }) })
}

// Done implements cluster.Waiter: packs with messages of this connection have been
// applied, or will not be.
func (c *conn) Done(tokens []uint64, results []queue.Reply, err error) {
	a := answers{tokens: append([]uint64(nil), tokens...), err: err}
	if results != nil {
		a.results = append([]queue.Reply(nil), results...)
	}
	c.post(func() { c.answered(&a) })
}

type answers struct {
	tokens  []uint64
	results []queue.Reply // nil: nothing to say
	err     error
}

func (c *conn) answered(a *answers) {
	for i, token := range a.tokens {
		p, ok := c.slots[token>>33].(*producer)
		if !ok {
			continue
		}
		var reply queue.Reply
		if a.results != nil {
			reply = a.results[i]
		}
		p.answered(token, reply, a.err)
	}
}
