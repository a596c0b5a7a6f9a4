// Package amqp is the protocol engine of AMQP 1.0 for both ends of a connection.
// It does no I/O and knows no clock: bytes in, events out; actions in, bytes out;
// the time is an argument.
//
//	socket --> Receive --> Next(&event)* --> the owner acts --> TakeOutput --> socket
//	                       Tick(now) now and then
//
// A Conn, and every Session and Link of it, belongs to one goroutine at a time:
// there is no lock. A turn of the owner is
//
//	c.Receive(p, now)
//	for c.Next(&ev) {
//		// act on ev: c.Open, l.Accept, l.GrantTo, l.Deliver, ...
//	}
//	spare = write(c.TakeOutput(spare))
//	if c.Done() { close the socket }
//
// # What the engine decides, and what its owner decides
//
// The engine keeps the states of connection, sessions and links, counts windows
// and credit, puts deliveries together from frames and cuts them into frames,
// maps dispositions to deliveries, merges what it has to say, and ends the
// smallest scope that the specification gives when the peer breaks a rule. It
// answers by itself whatever has only one right answer: begin, end, detach, close,
// echo, a drain of a link without credit, idle time-outs.
//
// The owner decides who may in (Authenticate, Open), which links there are (Accept,
// Refuse, Attach), how much may come (GrantTo), what is sent (Deliver) and what
// became of it (Settle, SettleOut).
//
// # Limits
//
// Whatever a peer can make grow has a limit in Config: the frame, the message, all
// messages that are being put together, channels, handles, links, unsettled
// deliveries, and input that waits for the owner's answer. What the owner makes
// grow is its own to limit: see Pending.
//
// Sections in brackets, like [amqp-transport 2.6.7], are those of the OASIS
// standard; they stand above the code that enforces them.
package amqp
