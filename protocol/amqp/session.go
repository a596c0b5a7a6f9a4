package amqp

// Session is one session of a connection: a pair of channels, with windows that
// count transfer frames and numbers for deliveries in both directions.
type Session struct {
	// Data is the owner's.
	Data any

	conn *Conn
}
