package amqp

import (
	"strconv"
	"time"

	"entrepot/protocol/amqp/wire"
)

// sendOpen says who we are and what we take [amqp-transport 2.7.1].
func (c *Conn) sendOpen() {
	cfg := c.cfg
	o := wire.Open{
		ContainerID:         cfg.ContainerID,
		MaxFrameSize:        cfg.maxFrameSize(),
		ChannelMax:          cfg.channelMax(),
		OfferedCapabilities: cfg.OfferedCapabilities,
		DesiredCapabilities: cfg.DesiredCapabilities,
		Properties:          cfg.Properties,
	}
	if cfg.Role == Dialling {
		o.Hostname = cfg.Hostname
	}
	// [amqp-transport 2.4.5] A peer should announce half of its real time-out, so
	// that a late frame does not end the connection.
	o.IdleTimeOut = uint32(min(cfg.IdleTimeout/2/time.Millisecond, 1<<32-1))
	start := len(c.out)
	c.out = o.Append(wire.BeginFrame(c.out, wire.FrameAMQP, 0))
	wire.EndFrame(c.out, start)
	c.openSent = true
}

// onOpen: the peer's open has come.
func (c *Conn) onOpen(ev *Event, body []byte) bool {
	o := new(wire.Open)
	r := wire.NewReader(body)
	if err := o.Decode(&r); err != nil {
		return c.fail(undecodable(ScopeConnection, err))
	}
	// [amqp-transport 2.7.1] Both peers must accept frames of up to 512 bytes.
	if o.MaxFrameSize < wire.MinMaxFrameSize {
		return c.fail(&Error{Condition: wire.CondInvalidField, Description: "open.max-frame-size: is below 512"})
	}
	// [amqp-transport 2.4.5] A peer that can't support a proposed idle time-out
	// should close the connection and say why.
	if o.IdleTimeOut != 0 && o.IdleTimeOut < minRemoteIdleMillis {
		return c.fail(&Error{Condition: wire.CondNotAllowed,
			Description: "open.idle-time-out: is below " + strconv.Itoa(minRemoteIdleMillis) + " ms"})
	}
	c.remote = o
	c.peerFrame = min(o.MaxFrameSize, c.cfg.maxFrameSize())
	c.peerChannels = o.ChannelMax
	c.clock.opened(o.IdleTimeOut)
	c.phase = phaseOpened
	if !c.openSent {
		c.phase = phaseOpenWait
	}
	ev.Kind, ev.Open = EventOpened, o
	return true
}

// Open answers EventOpened at the accepting end. If it is called after Next has
// returned false, call Next again: input was waiting.
func (c *Conn) Open() {
	if c.phase == phaseOpenWait {
		c.sendOpen()
		c.phase = phaseOpened
	}
}

// Close begins to close the connection; err may be nil. It also answers
// EventOpened. EventClosed comes with the peer's close or after CloseTimeout.
func (c *Conn) Close(err *Error) {
	if c.phase >= phaseClosing {
		return
	}
	if err != nil {
		scoped := *err
		scoped.Scope = ScopeConnection
		err = &scoped
	}
	c.closedBy = Event{Kind: EventClosed, Err: err}
	c.sendClose(err)
	if c.phase == phaseClosed {
		c.over = true
	}
}

// sendClose closes our half, as far as it was opened.
func (c *Conn) sendClose(err *Error) {
	c.clock.closing()
	c.hush()
	if c.phase < phaseOpen {
		// No open can be sent before the headers, so no close either.
		c.phase = phaseClosed
		return
	}
	c.flush()
	// [amqp-transport 2.7.9] Close is sent after open, also when a connection is
	// refused.
	if !c.openSent {
		c.sendOpen()
	}
	if !c.send(0, &wire.Close{Error: err.toWire()}) {
		c.send(0, &wire.Close{Error: shortened(err.toWire())})
	}
	c.phase = phaseClosing
}

// fail closes the connection for a fault of the peer's. It returns false: the event
// is reported in its turn.
func (c *Conn) fail(err *Error) bool {
	if c.phase >= phaseClosing {
		return false
	}
	err.Scope = ScopeConnection
	c.sendClose(err)
	c.finish(Event{Err: err})
	return false
}

// finish makes ev the last event, unless there is one already.
func (c *Conn) finish(ev Event) {
	if c.over {
		return
	}
	ev.Kind = EventClosed
	c.over, c.closedBy = true, ev
	c.hush()
}

// hush drops the events that were about to be reported: a closed connection stands
// for all of them.
func (c *Conn) hush() {
	c.cursor, c.notify, c.notifyHead, c.queued = cursor{}, nil, 0, nil
}

// onClose: the peer's close has come.
func (c *Conn) onClose(body []byte) {
	var f wire.Close
	r := wire.NewReader(body)
	err := f.Decode(&r)
	if c.phase == phaseClosing {
		// [amqp-transport 2.4.3] Now both have closed. If we began, the event is ours.
		ended := c.closedBy
		if f.Error != nil && ended.Err == nil {
			ended.Err, ended.Remote = fromWire(ScopeConnection, f.Error), true
		}
		c.finish(ended)
		c.phase = phaseClosed
		return
	}
	if err != nil {
		c.fail(undecodable(ScopeConnection, err))
		c.phase = phaseClosed
		return
	}
	// [amqp-transport 2.4.3] Each peer must write a close with a code that tells why
	// it closes; one that received a close answers with its own.
	c.sendClose(nil)
	c.finish(Event{Err: fromWire(ScopeConnection, f.Error), Remote: true})
	c.phase = phaseClosed
}

// onFrame handles an AMQP frame.
func (c *Conn) onFrame(ev *Event, channel uint16, body []byte) bool {
	if len(body) == 0 {
		return false // [amqp-transport 2.4.5] an empty frame only shows life
	}
	d, err := wire.PeekDescriptor(body)
	if c.phase == phaseClosing {
		// [amqp-transport 2.4.6] CLOSE SENT, DISCARDING: everything but close is
		// dropped.
		if err == nil && d == wire.DescClose {
			c.onClose(body)
		}
		return false
	}
	if err != nil {
		return c.fail(undecodable(ScopeConnection, err))
	}
	// [amqp-transport 2.4.1] Open is the first frame of a connection, and there is
	// one from each end. A close in its place is let through: it tells why.
	if d != wire.DescClose && (d == wire.DescOpen) != (c.phase == phaseOpen) {
		return c.fail(&Error{Condition: wire.CondIllegalState, Description: d.String() + ": open has to be the first frame, once"})
	}
	// [amqp-transport 2.7.1] A channel number outside the supported range closes the
	// connection with framing-error.
	if channel > c.cfg.channelMax() {
		return c.fail(&Error{Condition: wire.CondFramingError, Description: d.String() + ": channel is above channel-max"})
	}
	switch d {
	case wire.DescOpen:
		return c.onOpen(ev, body)
	case wire.DescClose:
		c.onClose(body)
		return false
	case wire.DescBegin:
		return c.onBegin(ev, channel, body)
	}
	return c.onSessionFrame(ev, channel, d, body)
}
