package broker

import (
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
	case amqp.EventLinkFlow, amqp.EventPeerSettled:
		if e := endpointOf(ev.Link); e != nil {
			e.flow()
		}
	default:
		c.handleSeldom(ev)
	}
}

func (c *conn) handleSeldom(ev *amqp.Event) {
	switch ev.Kind {
	case amqp.EventLinkAttached:
		c.attached(ev.Link)
	case amqp.EventLinkDetached:
		c.linkDetached(ev.Link)
		c.ended(ev)
	case amqp.EventSessionBegun:
		c.sessions++
		c.broker.metrics.sessions.Add(1)
	case amqp.EventSessionEnded:
		c.sessionEnded(ev.Session)
		c.ended(ev)
	case amqp.EventSASLInit:
		c.authenticate(ev.SASL)
	case amqp.EventOpened:
		c.opened(ev.Open)
	case amqp.EventClosed:
		c.letGo()
		c.logEnd(ev.Err, ev.Remote)
	}
}

// ended looks at why a link or session is over: by our own doing, for a fault?
func (c *conn) ended(ev *amqp.Event) {
	if ev.Err != nil && !ev.Remote {
		c.faulted(ev.Err)
	}
}

func endpointOf(l *amqp.Link) endpoint {
	if e, ok := l.Data.(endpoint); ok {
		return e
	}
	return nil
}

// authenticate checks a login. A password costs tens of milliseconds to check, so
// that is done aside, unless the client goes meanwhile; the engine holds back what
// the client has pipelined.
func (c *conn) authenticate(s amqp.SASLInit) {
	if s.Mechanism == amqp.MechanismAnonymous {
		c.engine.Authenticate(c.limits.anonymous)
		return
	}
	users := c.broker.users
	go func() {
		ok := users.VerifyUntil(c.mail.done, s.User, s.Password)
		c.post(func() {
			if !ok {
				c.log = c.log.With("user", s.User)
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
	c.detachAll(func(of *amqp.Session) bool { return of == s })
}

func (c *conn) linkDetached(l *amqp.Link) {
	switch e := l.Data.(type) {
	case endpoint:
		e.detached()
	case *attachment:
		e.abandon()
	}
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
